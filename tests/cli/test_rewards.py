"""The commands around rewards: what they print, and how they fail."""

import json
from pathlib import Path
from typing import Any

import pytest

from amble.cli import main


def test_signals_and_terms_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["signals", "walker", "--json"]) == 0
    assert "foot_height" in {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert main(["terms", "--json"]) == 0
    assert "match_velocity" in {row["name"] for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "rewards.terms.knee_lifd.weight=1"], "`knee_lifd`. The nearest valid name is `knee_lift`"),
        (["--set", "rewards.terms.upright.signals={upright: uprite}"], "signal `uprite` here. The nearest"),
        (["--set", "rewards.terms.upright.weight=lots"], "must be a number, but is the text 'lots'"),
        (["--set", "rewards.terms.upright.schedule=[[0, 0], [1e9, 1]]"], "and the run ends at"),
        (["--set", "rewards.combine=product", "--set", "rewards.terms.air_time.weight=1"], "air_time` may be negative"),
        (["--branch-from", "nobody@5"], "there is no run `nobody`"),
        (["--terms", "nothing.py"], "expected a Python file with terms"),
    ],
)  # fmt: skip
def test_bad_rewards_are_refused_in_one_paragraph(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["train", "march", "--num-envs", "2", "--results-dir", str(tmp_path / "results"), *words]) == 2
    )
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_branch_takes_its_parents_settings(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr("amble.training.run.train", lambda config: taken.append(config) or 0)
    results = ["--results-dir", str(trained.parent)]
    assert main(["train", "--branch-from", f"{trained.name}@latest", "--max-steps", "32", *results]) == 0
    config = taken[0]
    assert config.env_id == "CartPole-v1"
    assert config.behavior[1].max_steps == 32
    assert config.checkpoint_settings.run_id == "trained-branch"
    assert config.checkpoint_settings.branch_from == "trained@latest"


def test_a_branch_goes_before_what_the_preset_starts_from(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr("amble.training.run.train", lambda config: taken.append(config) or 0)
    assert main(["train", "march"]) == 0
    assert main(["train", "march", "--branch-from", "walk@latest"]) == 0
    plain, branch = (config.checkpoint_settings for config in taken)
    assert (plain.initialize_from, plain.branch_from) == ("walker", None)
    assert (branch.initialize_from, branch.branch_from, branch.reset_std) == (None, "walk@latest", 0.3)


def test_a_branch_and_another_start_of_the_users_own_contradict(capsys: pytest.CaptureFixture[str]) -> None:
    start = ["--set", "checkpoint_settings.initialize_from=other"]
    assert main(["train", "march", "--branch-from", "walk@latest", *start]) == 2
    assert "a run starts from one other run" in capsys.readouterr().err
