"""Whole runs on rewards of terms: the log, the faults, the policy that remembers, and branches."""

import json
from pathlib import Path
from typing import Any

import pytest

from amble.config import load_run, run_from_env
from amble.errors import UsageError
from amble.rewards.files import forget_terms, load_terms
from amble.training.branch import find_branch
from amble.training.checkpoint import list_checkpoints
from amble.training.evaluate import evaluate
from amble.training.metrics import read_metrics, scalars
from amble.training.run import train

QUICK = {
    "hyperparameters.buffer_size": 32,
    "hyperparameters.batch_size": 16,
    "hyperparameters.num_epoch": 1,
    "network_settings.hidden_units": 8,
    "network_settings.num_layers": 1,
    "max_steps": 128,
    "env_settings.seed": 0,
    "torch_settings.learner": "torch",
}
TILT = (
    "rewards={fall_reward: -1.0, terms: {alive: {}, "
    "tilt: {term: square, weight: -2.0, signals: {x: 'observation[2]'}}}}"
)

OWN = '''
from amble.rewards import term
calls = []

@term
def gives_out(reward):
    """The reward, for a while."""
    calls.append(1)
    if len(calls) > 60:
        return reward * float("nan")
    return reward
'''


def config(results: Path, run_id: str, *more: str) -> Any:
    settings = {**QUICK, "checkpoint_settings.results_dir": results, "checkpoint_settings.run_id": run_id}
    return run_from_env("CartPole-v1", "ppo", [*(f"{k}={v}" for k, v in settings.items()), *more])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    train(config(results, "tilt", TILT))
    return results / "tilt"


def test_every_term_is_in_the_log_and_adds_up(run: Path) -> None:
    rows = [row for row in read_metrics(run) if row["episodes"]]
    assert rows
    for row in rows:
        terms = [value for key, value in row.items() if key.startswith("term.")]
        assert len(terms) == 3  # alive, tilt, terminal
        assert sum(terms) == pytest.approx(row["reshaped_return_mean"])
        assert row["reshaped_return_mean"] == pytest.approx(row["return_mean"])
        assert row["reference_return_mean"] == pytest.approx(row["length_mean"])  # CartPole pays 1 a step
        assert row["term.alive"] == pytest.approx(
            row["length_mean"] - 1
        )  # the last is paid for by `terminal`
    assert {"Reward/tilt", "Reward/terminal", "Reward/reference_return_mean"} <= scalars(rows[-1]).keys()


def test_a_policy_remembers_its_reward_and_is_judged_by_both(run: Path) -> None:
    result = evaluate(run, 6, seed=3)
    assert result["return_mean"] == result["length_mean"]  # the environment's own
    assert (
        result["reshaped_return_mean"] < result["return_mean"] - 1.5
    )  # a fall costs the 1 it would pay, and 1 more
    assert load_run(run / "run.yaml").rewards == config(run.parent, "other", TILT).rewards


def test_a_term_that_gives_out_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    load_terms(own)
    given = config(tmp_path, "gives-out", "rewards={terms: {gives_out: {}}}", "env_settings.num_envs=1")
    with pytest.raises(UsageError, match=r"rewards.terms.gives_out: .* gave nan in environment 0"):
        train(given)
    forget_terms(own)
    rows = read_metrics(tmp_path / "gives-out")
    assert [row["env_steps"] for row in rows] == [32]
    assert [path.name for path in list_checkpoints(tmp_path / "gives-out" / "checkpoints")] == [
        "step-000000000032"
    ]
    summary = json.loads((tmp_path / "gives-out" / "summary.json").read_text())
    assert summary["exit_reason"] == "failed"
    assert "gives_out" in summary["error"]
    with pytest.raises(
        UsageError, match="--terms FILE"
    ):  # and without the file, the policy says what it lacks
        evaluate(tmp_path / "gives-out", 1, seed=0)


class TestBranch:
    def test_it_starts_from_the_checkpoint_and_names_its_parent(self, run: Path) -> None:
        import torch

        from amble.training.checkpoint import load_checkpoint

        more = [
            "checkpoint_settings.branch_from=tilt@1.28e2",
            "max_steps=32",
            "hyperparameters.learning_rate=1e-20",
        ]
        train(config(run.parent, "child", TILT, "rewards.terms.tilt.weight=-5.0", *more))
        child = run.parent / "child"
        summary = json.loads((child / "summary.json").read_text())
        parent = summary["parent"]
        assert (parent["run"], parent["step"]) == (str(run), 128)
        assert (
            parent["sha256"]
            == json.loads((run / "checkpoints/step-000000000128/manifest.json").read_text())["files"][
                "tensors.safetensors"
            ]["sha256"]
        )
        resolved = load_run(child / "run.yaml")
        assert resolved.checkpoint_settings.branch_from == f"{run}@128"
        assert resolved.rewards is not None
        assert resolved.rewards.terms["tilt"].weight == -5.0
        assert summary["env_steps"] == 32  # counted from the branch
        before, _ = load_checkpoint(run / "checkpoints/step-000000000128")
        after, _ = load_checkpoint(child / "checkpoints/step-000000000032")
        weights = [name for name in before if name.startswith("policy.") and name.endswith("weight")]
        assert weights
        assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in weights)

        train(config(run.parent, "grandchild", TILT, "checkpoint_settings.branch_from=child", "max_steps=32"))
        line = json.loads((run.parent / "grandchild/summary.json").read_text())["parent"]["line"]
        assert line == [f"{child}@32", f"{run}@128"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("tild@128", "no run `tild`"),
            ("tilt@100", "no checkpoint of step 100. The nearest is 128"),
            ("tilt@soon", "no checkpoint of step soon"),
        ],
    )
    def test_what_is_not_there(self, run: Path, text: str, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            find_branch(text, run.parent)

    def test_nothing_is_written_where_the_parent_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no run"):
            train(config(tmp_path, "orphan", "checkpoint_settings.branch_from=nobody@5"))
        assert not (tmp_path / "orphan").exists()
