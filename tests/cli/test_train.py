"""`amble train` turns its words into settings and hands them to the trainer."""

from pathlib import Path
from typing import Any

import pytest

from amble.cli import main
from amble.config import RunConfig
from amble.config.ppo import PPOHyperparameters


@pytest.fixture
def trained(stand_in: Any) -> Any:
    """Run `amble train …` and give back the settings the trainer received."""

    def run(*words: str) -> RunConfig:
        calls = stand_in("amble.training.run", "train", 0)
        assert main(["train", *words]) == 0
        ((config,), options) = calls[0]
        assert options == {}
        return config

    return run


def test_a_preset_by_name(trained: Any) -> None:
    config = trained("walker")
    assert config.env_id == "amble/Walker-v0"
    assert config.checkpoint_settings.run_id == "walker"


def test_a_run_file(trained: Any, own_folder: Path) -> None:
    (own_folder / "mine.yaml").write_text("behaviors: {3DBall: {max_steps: 7}}")
    config = trained("mine.yaml")
    assert config.behavior[1].max_steps == 7
    assert config.checkpoint_settings.run_id == "mine"


def test_any_gymnasium_id(trained: Any) -> None:
    config = trained("--env", "HalfCheetah-v5", "--trainer", "ppo", "--max-steps", "1e6", "--seed", "0")
    assert config.env_id == "HalfCheetah-v5"
    assert config.behavior[1].max_steps == 1_000_000
    assert config.env_settings.seed == 0


def test_every_option_lands_in_its_setting(trained: Any) -> None:
    config = trained(
        *["walker", "--env", "Hopper-v5", "--trainer", "ppo", "--run-id", "1e6", "--results-dir", "out"],
        *["--resume", "--initialize-from", "other", "--num-envs", "12", "--seed", "4", "--device", "cuda:1"],
        *["--max-steps", "5e3", "--time-limit", "90", "--set", "hyperparameters.learning_rate=1e-3"],
        *["--set", "env_settings.env_kwargs={}", "--set", "behaviors.Walker.time_horizon=9"],
    )
    kept = config.checkpoint_settings
    assert (kept.run_id, kept.results_dir, kept.resume, kept.initialize_from) == ("1e6", "out", True, "other")
    assert (config.env_id, config.env_settings.num_envs, config.env_settings.seed) == ("Hopper-v5", 12, 4)
    assert config.torch_settings.device == "cuda:1"
    assert (config.behavior[1].max_steps, config.behavior[1].time_horizon) == (5000, 9)
    assert config.time_limit == 90.0
    assert config.behavior[1].hyperparameters.learning_rate == 1e-3
    assert config.env_settings.env_kwargs == {}


def test_force(trained: Any) -> None:
    assert trained("walker", "--force").checkpoint_settings.force is True


@pytest.mark.parametrize(
    ("kept", "option", "resume", "force"),
    [
        ("force", ["--resume"], True, False),
        ("resume", ["--force"], False, True),
        ("resume", ["--initialize-from", "other"], False, False),
    ],
)
def test_the_command_counts_more_than_what_a_run_file_has_kept(
    kept: str, option: list[str], resume: bool, force: bool, trained: Any, own_folder: Path
) -> None:
    text = f"behaviors: {{Walker: }}\ncheckpoint_settings: {{{kept}: true}}\n"
    (own_folder / "run.yaml").write_text(text)
    settings = trained("run.yaml", *option).checkpoint_settings
    assert (settings.resume, settings.force) == (resume, force)


def test_the_trainers_exit_code_is_the_commands(stand_in: Any) -> None:
    stand_in("amble.training.run", "train", 143)
    assert main(["train", "walker"]) == 143


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "`amble train` needs a preset, a run file or --env"),
        (["walkr"], "There is no run file and no preset `walkr`. The nearest preset is `walker`."),
        (
            ["walker", "--max-steps", "1.5"],
            "--max-steps 1.5: `behaviors.Walker.max_steps` must be a whole number",
        ),
        (["walker", "--num-envs", "0"], "--num-envs 0: `env_settings.num_envs` must be at least 1"),
        (["walker", "--device", "gpu"], "--device gpu: `torch_settings.device` must be cpu"),
        (
            ["walker", "--trainer", "sac"],
            "--trainer sac: `behaviors.Walker.trainer_type` asks for trainer sac",
        ),
        (
            ["--env", "Hopper-v5", "--trainer", "pp"],
            "--trainer pp: `behaviors.Hopper-v5.trainer_type` names no trainer",
        ),
        (["walker", "--resume", "--force"], "--resume: `checkpoint_settings.resume` contradicts"),
        (
            ["walker", "--run-id", "a/b"],
            "--run-id a/b: `checkpoint_settings.run_id` must be the name of one folder",
        ),
        (["walker", "--set", "learning_rat=1"], "The nearest valid name is `hyperparameters.learning_rate`."),
        (["walker", "--time-limit", "-1"], "--time-limit -1.0: `time_limit` must be greater than 0"),
    ],
)
def test_refusals(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_what_a_preset_says_of_our_bodies_is_not_said_of_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tmp_path / "Walker.x86_64"
    build.write_text("")
    build.chmod(0o755)
    taken: list[RunConfig] = []
    monkeypatch.setattr("amble.training.run.train", lambda config: taken.append(config) or 0)
    assert main(["train", "walker", "--env", str(build)]) == 0
    assert main(["train", "walker", "--env", str(build), "--num-envs", "3"]) == 0
    mirrored = ["--set", "hyperparameters.mirror=true", "--set", "env_settings.num_envs=2"]
    assert main(["train", "walker", "--env", str(build), *mirrored]) == 0
    assert main(["train", "walker-behaviour", "--env", str(build), "--set", "rewards=null"]) == 0
    assert [config.env_settings.num_envs for config in taken] == [None, 3, 2, None]
    hyper = [config.behavior[1].hyperparameters for config in taken]
    assert [isinstance(one, PPOHyperparameters) and one.mirror for one in hyper] == [
        False,
        False,
        True,
        False,
    ]
