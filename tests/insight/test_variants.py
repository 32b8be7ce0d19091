"""From words and runs to variants, and what is refused."""

import pytest

from amble.config import run_from_env, to_yaml
from amble.errors import UsageError
from amble.insight.variants import (
    find_runs,
    group_runs,
    plan_variants,
    refuse_unequal,
    refuse_unequal_budgets,
    reshaped,
    same_reward,
    same_task,
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plan(*sources, env=None, trainers=(), vary=(), overrides=()):
    return plan_variants(sources, env, trainers, vary, overrides)


def names(variants):
    return [variant.name for variant in variants]


def made(path, *settings, metrics=True):
    """A run's directory as training leaves it, as far as grouping looks."""
    path.mkdir(parents=True)
    (path / "run.yaml").write_text(to_yaml(run_from_env("CartPole-v1", "ppo", settings)))
    if metrics:
        (path / "metrics.jsonl").write_text('{"env_steps": 10, "return_mean": 1.0, "episodes": 1}\n')
    return path


def test_values_become_variants_and_several_keys_a_grid():
    variants = plan(
        "cartpole", vary=["hyperparameters.learning_rate=1e-3,3e-4", "hyperparameters.num_epoch=2,4"]
    )
    assert names(variants) == [
        "learning_rate=1e-3, num_epoch=2",
        "learning_rate=1e-3, num_epoch=4",
        "learning_rate=3e-4, num_epoch=2",
        "learning_rate=3e-4, num_epoch=4",
    ]
    hyper = variants[2].config.behavior[1].hyperparameters
    assert (hyper.learning_rate, hyper.num_epoch) == (3e-4, 2)
    assert variants[0].slug == "learning_rate=1e-3-num_epoch=2"


def test_commas_in_brackets_part_nothing():
    variants = plan("cartpole", vary=["env_settings.env_kwargs={a: [1, 2], b: 3},{a: 'x,y'}"])
    assert [variant.env_kwargs for variant in variants] == [{"a": [1, 2], "b": 3}, {"a": "x,y"}]


def test_sources_and_one_trainer_name_themselves(tmp_path):
    (tmp_path / "mine.yaml").write_text(to_yaml(run_from_env("CartPole-v1")))
    assert names(plan("cartpole", "mine.yaml")) == ["cartpole", "mine"]
    assert names(plan("cartpole")) == ["cartpole"]
    assert names(plan(env="CartPole-v1", trainers=["ppo"])) == ["ppo"]
    assert names(plan("cartpole", "mine.yaml", vary=["max_steps=10"])) == [
        "cartpole, max_steps=10",
        "mine, max_steps=10",
    ]


def test_overrides_go_to_all():
    variants = plan("cartpole", "pendulum", env="CartPole-v1", overrides=["max_steps=77"])
    assert {variant.config.env_id for variant in variants} == {"CartPole-v1"}
    assert {variant.max_steps for variant in variants} == {77}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "`amble compare` needs presets, run files, runs or --env"),
        ({"sources": ["cartpol"]}, "no preset `cartpol`. The nearest preset is `cartpole`"),
        ({"env": "CartPole-v1", "trainers": ["pp"]}, "names no trainer.* The nearest valid name is `ppo`"),
        ({"sources": ["cartpole", "cartpole"]}, "two variants are called `cartpole`"),
        ({"env": "X", "trainers": ["ppo", "ppo"]}, "two variants are called `ppo`"),
        ({"sources": ["cartpole"], "vary": ["beta=1"]}, "The nearest valid name is `hyperparameters.beta`"),
        ({"sources": ["cartpole"], "vary": ["max_steps"]}, "--vary max_steps: this is no key=value,value"),
        ({"sources": ["cartpole"], "vary": ["max_steps=1,,2"]}, "this is no key=value,value"),
        ({"sources": ["cartpole"], "vary": ["max_steps=x"]}, "--vary max_steps=x: .* must be a whole number"),
    ],
)
def test_refusals(words, message):
    with pytest.raises(UsageError, match=message):
        plan(*words.pop("sources", []), **words)


def test_environments_must_be_the_same():
    with pytest.raises(UsageError, match=r"`cartpole` and `pendulum` .* \(CartPole-v1 and Pendulum-v1\)"):
        refuse_unequal(plan("cartpole", "pendulum"))
    with pytest.raises(UsageError, match="are not comparable"):
        refuse_unequal(plan("cartpole", vary=["env_settings.env_kwargs={a: 1},{a: 2}"]))
    with pytest.raises(UsageError, match="are not comparable"):
        refuse_unequal(plan("walker", vary=["environment_parameters={gravity: 1.0},{gravity: 9.0}"]))


def test_only_the_reward_may_differ():
    variants = plan("cartpole", vary=["env_settings.env_kwargs={ctrl_cost_weight: 1},{ctrl_cost_weight: 2}"])
    refuse_unequal(variants)
    assert not same_reward(variants)
    assert same_reward(plan("cartpole", vary=["hyperparameters.beta=0,0.1"]))


def test_rewards_of_terms_may_go_with_tasks_of_their_own():
    variants = plan("walk", "march")  # at other target speeds
    refuse_unequal(variants)
    assert reshaped(variants)
    assert not same_task(variants)
    assert same_task(plan("walk", vary=["rewards.fall_reward=-1,-2"]))
    assert not reshaped(plan("walker"))
    with pytest.raises(UsageError, match="are not comparable"):
        refuse_unequal(plan("walk", "cartpole"))


def test_budgets_must_be_equal():
    variants = plan("cartpole", vary=["max_steps=10,20"])
    with pytest.raises(
        UsageError, match=r"different budgets \(10 steps and 20 steps\).*--max-steps N or --time"
    ):
        refuse_unequal_budgets(variants)
    refuse_unequal_budgets(plan("cartpole", vary=["max_steps=10,20"], overrides=["time_limit=5"]))


def test_runs_are_found_by_path_by_id_and_in_a_folder(tmp_path):
    a, b = made(tmp_path / "results" / "a"), made(tmp_path / "results" / "b")
    assert [path.resolve() for path in find_runs([str(a), "b"])] == [a, b]
    assert [path.resolve() for path in find_runs(["results"])] == [a, b]
    assert find_runs(["cartpole"]) is None
    made(tmp_path / "results" / "cartpole")
    assert find_runs(["cartpole"]) is None  # a preset's name goes first
    assert find_runs(["results/cartpole"]) is not None
    with pytest.raises(UsageError, match="either runs that are there, or presets"):
        find_runs(["a", "cartpole"])


def test_runs_that_differ_only_by_seed_are_one_variant(tmp_path):
    paths = [
        made(
            tmp_path / f"{name}-seed{seed}",
            f"env_settings.seed={seed}",
            f"hyperparameters.learning_rate={rate}",
        )
        for name, rate in (("slow", 1e-4), ("fast", 1e-3))
        for seed in (3, 1)
    ]
    runs = group_runs(paths)
    assert [(run.variant.name, run.seed) for run in runs] == [
        ("slow", 1),
        ("slow", 3),
        ("fast", 1),
        ("fast", 3),
    ]


def test_groups_without_names_in_common_are_called_by_what_differs(tmp_path):
    paths = [
        made(tmp_path / name, f"env_settings.seed={seed}", f"hyperparameters.learning_rate={rate}")
        for name, seed, rate in (("u", 0, 1e-4), ("v", 1, 1e-4), ("w", 0, 1e-3))
    ]
    assert [run.variant.name for run in group_runs(paths)] == [
        *("learning_rate=0.0001", "learning_rate=0.0001", "learning_rate=0.001")
    ]


def test_the_same_run_twice_says_nothing_new(tmp_path):
    a, b = made(tmp_path / "a", "env_settings.seed=4"), made(tmp_path / "b", "env_settings.seed=4")
    with pytest.raises(UsageError, match=r"the same settings and the same seed \(4\)"):
        group_runs([a, b])
    assert len(group_runs([a, a])) == 1
