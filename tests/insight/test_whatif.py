"""Recorded episodes paid anew, by numbers worked by hand, and against the environment itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amble.config import RewardSettings, run_from_env
from amble.errors import AmbleError, UsageError
from amble.insight.recording import Recording, read_recording, recorded, write_recording
from amble.insight.whatif import _linear_reach, score, whatif, whatif_table
from amble.rewards.signals import Signal
from amble.training.evaluate import evaluate
from amble.training.run import train

SPEED = {"term": "signal", "signals": {"x": "speed"}}
HEIGHT = {"term": "signal", "signals": {"x": "height"}}


def two_episodes() -> Recording:
    """Two decisions, then three; the second falls."""
    names = ("reward", "speed", "height")
    return Recording(
        {
            "reward": np.array([1, 1, 2, 2, -1], np.float32),
            "speed": np.array([1, 2, 3, 4, 5], np.float32),
            "height": np.array([1, 1, 0, 1, 1], np.float32),
        },
        np.array([0, 2, 5]),
        np.array([False, False, False, False, True]),
        {name: Signal(name, "", "") for name in names},
        {"substeps": 1, "env_id": "x", "env_steps": 10, "episodes": 2, "seed": 0},
    )


def scored(**given: Any) -> Any:
    return score(two_episodes(), RewardSettings.model_validate(given))


def test_the_environments_own_reward() -> None:
    np.testing.assert_array_equal(score(two_episodes(), None).returns, [2.0, 3.0])


def test_a_sum_over_each_episode() -> None:
    result = scored(terms={"a": {**SPEED, "weight": 2.0}, "b": HEIGHT}, fall_reward=-1.0)
    np.testing.assert_allclose(result.terms["a"], [6.0, 14.0])  # the fall's own 5 is not paid
    np.testing.assert_allclose(result.terms["b"], [2.0, 1.0])
    np.testing.assert_allclose(result.terms["terminal"], [0.0, -1.0])
    np.testing.assert_allclose(result.returns, [8.0, 14.0])
    np.testing.assert_array_equal(result.lengths, [2, 3])


def test_a_rule_cuts_an_episode_short() -> None:
    result = scored(
        terms={"a": SPEED}, terminations={"low": {"signal": "height", "below": 0.5, "reward": -10.0}}
    )
    np.testing.assert_allclose(result.returns, [3.0, -10.0])
    np.testing.assert_array_equal(result.lengths, [2, 1])


def test_a_schedule_is_taken_at_its_end_or_where_asked() -> None:
    settings = RewardSettings.model_validate({"terms": {"a": {**SPEED, "schedule": [[0, 0.0], [100, 1.0]]}}})
    np.testing.assert_allclose(score(two_episodes(), settings).returns, [3.0, 12.0])
    np.testing.assert_allclose(score(two_episodes(), settings, env_steps=50).returns, [1.5, 6.0])


def test_the_reach_of_a_weight() -> None:
    """Winner a: 2 + 1φ against b: 0 + 2φ. Even at φ = 2."""
    assert _linear_reach({"a": 2.0, "b": 0.0}, {"a": 1.0, "b": 2.0}, "a") == (0.0, 2.0)
    # Winner b: 0 + 2φ against a: 0.5 + 1φ. Even at φ = 1/2.
    assert _linear_reach({"a": 0.5, "b": 0.0}, {"a": 1.0, "b": 2.0}, "b") == (0.5, np.inf)
    assert _linear_reach({"a": 2.0, "b": 0.0}, {"a": 2.0, "b": 2.0}, "a") == (0.0, np.inf)


def test_a_recording_reads_back_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "signals.npz"
    made = two_episodes()
    write_recording(path, made)
    again = read_recording(path)
    assert again.signals == made.signals
    assert dict(again.about) == dict(made.about)
    for name, value in made.values.items():
        np.testing.assert_array_equal(again.values[name], value)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(AmbleError, match=r"signals.npz: is no recording, or is damaged .*Delete it"):
        read_recording(path)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short runs on the Walker, by its own reward and by another."""
    folder = tmp_path_factory.mktemp("results")
    for run_id, more in (
        ("own", []),
        ("other", ["rewards={terms: {upright: {}, smoothness: {weight: -0.5}}, fall_reward: -1.0}"]),
    ):
        settings = {
            "hyperparameters.buffer_size": 64, "hyperparameters.batch_size": 32, "hyperparameters.num_epoch": 1,
            "network_settings.hidden_units": 8, "network_settings.num_layers": 1, "max_steps": 64,
            "env_settings.seed": 0, "env_settings.num_envs": 4, "torch_settings.learner": "torch",
            "checkpoint_settings.results_dir": folder, "checkpoint_settings.run_id": run_id,
        }  # fmt: skip
        train(run_from_env("amble/Walker-v0", "ppo", [*(f"{k}={v}" for k, v in settings.items()), *more]))
    return folder


def test_the_recorded_return_is_the_evaluated_one(results: Path) -> None:
    """The same policy, seed and number of environments: float32 is all that lies between."""
    for run_id in ("own", "other"):
        recording = recorded(results / run_id, 4, seed=5)
        result = evaluate(results / run_id, 4, seed=5)
        assert score(recording, None).returns.mean() == pytest.approx(result["return_mean"], rel=1e-5)
        assert np.diff(recording.starts).mean() == result["length_mean"]
    settings = RewardSettings.model_validate(
        {"terms": {"upright": {}, "smoothness": {"weight": -0.5}}, "fall_reward": -1.0}
    )
    assert score(recording, settings).returns.mean() == pytest.approx(
        result["reshaped_return_mean"], rel=1e-5
    )


def test_what_is_recorded_is_kept_and_made_anew_for_other_episodes(results: Path) -> None:
    path = results / "own" / "signals.npz"
    recorded(results / "own", 2, seed=1)
    written = path.stat().st_mtime_ns
    recorded(results / "own", 2, seed=1)
    assert path.stat().st_mtime_ns == written
    assert recorded(results / "own", 2, seed=2).about["seed"] == 2
    assert path.stat().st_mtime_ns != written


def test_runs_are_ranked_and_the_weights_that_matter_are_named(results: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text("rewards:\n  terms:\n    upright: {weight: 1.0}\n    smoothness: {weight: -0.5}\n")
    result = whatif([results / "own", results / "other"], edited, episodes=3)
    assert result["groups"] == "run"
    afters = [row["after"] for row in result["episodes"]]
    assert afters == sorted(afters, reverse=True)
    assert sorted(row["rank_before"] for row in result["episodes"]) == [1, 2, 3, 4, 5, 6]
    means = {
        run: np.mean([row["after"] for row in result["episodes"] if row["run"] == run])
        for run in ("own", "other")
    }
    assert result["winner"] == max(means, key=lambda run: means[run])
    assert set(result["weights"]) == {"upright", "smoothness"}
    table = whatif_table(result)
    assert f"run that wins: {result['winner']}" in table
    # The reach is what re-scoring with that factor says.
    for label, row in result["weights"].items():
        for factor in (0.0, 0.3, 3.0, 30.0):
            text = edited.read_text().replace(
                f"{label}: {{weight: {row['weight']}", f"{label}: {{weight: {row['weight'] * factor}"
            )
            other = tmp_path / "other.yaml"
            other.write_text(text)
            again = whatif([results / "own", results / "other"], other, episodes=3)["winner"]
            inside = row["from"] <= factor and (row["to"] is None or factor <= row["to"])
            assert (again == result["winner"]) == inside, (label, factor)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "rewards:\n  terms:\n    uprihgt: {}\n",
            "there is no term `uprihgt`. The nearest valid name is `upright`",
        ),
        (
            "rewards:\n  terms:\n    upright: {weight: lots}\n",
            "edited.yaml, line 3: `rewards.terms.upright.weight` must be a number",
        ),
        ("reward:\n  terms: {}\n", "has no block `rewards`"),
        (
            "rewards:\n  terms:\n    a: {term: square, signals: {x: 'observation[0]'}}\n",
            "no signal `observation`",
        ),
    ],
)
def test_a_bad_file(results: Path, tmp_path: Path, text: str, words: str) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text(text)
    with pytest.raises(UsageError, match=words):
        whatif([results / "own"], edited, episodes=2)
