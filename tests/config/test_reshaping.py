"""The block `rewards`, overrides below it, and run files based on others."""

from pathlib import Path

import pytest

from amble.config import list_presets, load_run, to_yaml
from amble.errors import UsageError

BEHAVIOURS = [
    "walk",
    "run",
    "backward",
    "sidestep",
    "crouch",
    "march",
    "hop",
    "spin",
    "tiptoe-still",
    "limp",
    "cheer",
]


def test_there_is_a_preset_for_each_behaviour_and_it_is_short() -> None:
    presets = {preset.name: preset for preset in list_presets()}
    for name in BEHAVIOURS:
        assert len(presets[name].path.read_text().splitlines()) <= 32
        config = load_run(name)
        assert config.rewards is not None
        assert config.env_settings.env_kwargs["body"] == "release_19"  # the Walker's, on which it is based
        # No mirror for one-sided rewards; more steps, and larger ones, for what takes longer
        own = {"hyperparameters": {"mirror", "learning_rate"}, "max_steps": True}
        shared = load_run("walker-behaviour").behavior[1]
        assert config.behavior[1].model_dump(exclude=own) == shared.model_dump(exclude=own)
        assert config.checkpoint_settings.initialize_from == "walker"


def test_an_override_reaches_below_a_name_of_the_users(tmp_path: Path) -> None:
    config = load_run("march", ["rewards.terms.knee_lift.weight=2", "rewards.penalties.new.term=bounce"])
    assert config.rewards is not None
    assert config.rewards.terms["knee_lift"].weight == 2.0
    assert config.rewards.terms["knee_lift"].parameters == {"low": 0.55, "high": 0.9}  # the rest stays
    assert config.rewards.penalties["new"].term == "bounce"
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(config))
    assert load_run(path).rewards == config.rewards


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("rewards.terms.upright.weigth=1", "nearest valid name is `rewards.terms.upright.weight`"),
        ("rewards.combin=sum", "nearest valid name is `rewards.combine`"),
        (
            "rewards.terms.upright.weight=lots",
            "`rewards.terms.upright.weight` must be a number, but is the text 'lots'",
        ),
        ("rewards.terms.upright.schedule=[[5, 0], [1, 1]]", "the steps rising"),
        ("rewards.terms.upright.schedule=[[0, much]]", "must be a list of"),
        ("rewards.penalties.energy.weight=-1", "must be at least 0"),
        ("rewards.terms={'a b': {}}", "must be a name of letters"),
        ("rewards.terminations={low: {signal: body_height}}", "must say `below` or `above`"),
        ("rewards.penalties={upright: {}}", "stands among the terms too"),
        ("rewards={combine: mean, terms: {upright: {}}}", "must be one of 'sum' or 'product'"),
        ("rewards={}", "names no term"),
        ("trainer_type=a3c", "a3c's workers know nothing of the block `rewards`"),
    ],
)
def test_what_is_refused(change: str, words: str) -> None:
    more = ["behaviors.Walker.hyperparameters={}"] if "a3c" in change else []
    with pytest.raises(UsageError, match=words):
        load_run("march", [change, *more])


def test_a_file_is_based_on_another_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "based_on: march\nrewards:\n  terms:\n    spin_rate: {parameters: {rate: 1}}\n"
    )
    (tmp_path / "top.yaml").write_text(
        "based_on: base.yaml\nrewards:\n  terms:\n    knee_lift: {weight: 3}\n"
    )
    rewards = load_run(tmp_path / "top.yaml").rewards
    assert rewards is not None
    assert (rewards.terms["knee_lift"].weight, rewards.terms["spin_rate"].parameters) == (3.0, {"rate": 1})
    assert load_run(tmp_path / "top.yaml").checkpoint_settings.run_id == "top"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("based_on: marhc\n", "line 1: `based_on` names 'marhc', .* The nearest preset is `march`"),
        ("based_on: me.yaml\n", "cannot be based on itself"),
        ("based_on: [a]\n", "must name a preset or a run file"),
        (
            "based_on: march\nrewards:\n  terms:\n    upright: {weight: lots}\n",
            "me.yaml, line 4: `rewards.terms.upright.weight`",
        ),
    ],
)
def test_a_base_that_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "me.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_run(path)
