"""`amble learn` takes mlagents-learn's command line word for word."""

from pathlib import Path
from typing import Any

import pytest

from amble.cli import main
from amble.config import EngineSettings, EnvSettings, RunConfig

FILE = "behaviors: {Crawler: {max_steps: 7}}\n"


@pytest.fixture
def build(own_folder: Path) -> str:
    (own_folder / "config.yaml").write_text(FILE)
    program = own_folder / "Crawler.x86_64"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return "Crawler"


@pytest.fixture
def learned(stand_in: Any, build: str) -> Any:
    """Run `amble learn …` and give back the settings the trainer received."""
    calls = stand_in("amble.training.run", "train", 0)

    def run(*words: str) -> RunConfig:
        assert main(["learn", *words]) == 0
        ((config,), _) = calls.pop()
        return config

    return run


def test_a_file_alone_waits_for_the_editor_under_ml_agents_run_id(learned: Any) -> None:
    config = learned("config.yaml")
    assert (config.env_id, config.env_settings.env_path) == ("amble/Unity-v0", None)
    assert (config.checkpoint_settings.run_id, config.checkpoint_settings.results_dir) == ("ppo", "results")
    assert config.engine_settings == EngineSettings()
    expected = EnvSettings(env_id="amble/Unity-v0", seed=config.env_settings.seed)
    assert config.env_settings == expected


def test_a_run_id_of_the_file_counts(learned: Any, own_folder: Path) -> None:
    (own_folder / "named.yaml").write_text(FILE + "checkpoint_settings: {run_id: mine}\n")
    assert learned("named.yaml").checkpoint_settings.run_id == "mine"
    assert learned("named.yaml", "--run-id", "other").checkpoint_settings.run_id == "other"


def test_every_option_lands_in_its_setting(learned: Any) -> None:
    config = learned(
        *["config.yaml", "--env=Crawler", "--run-id=first", "--force", "--seed=3", "--base-port=6000"],
        *["--num-envs=4", "--num-areas", "2", "--timeout-wait", "90", "--results-dir", "out"],
        *["--max-lifetime-restarts", "-1", "--restarts-rate-limit-n=5", "--restarts-rate-limit-period-s=9"],
        *["--width", "640", "--height", "480", "--quality-level", "1", "--time-scale", "2.5"],
        *[
            "--target-frame-rate",
            "30",
            "--capture-frame-rate",
            "50",
            "--no-graphics",
            "--no-graphics-monitor",
        ],
        *["--torch-device", "cuda:1", "--initialize-from", "old", "--debug"],
        *["--env-args", "--level", "3", "--debug", "--force"],
    )
    env, engine, kept = config.env_settings, config.engine_settings, config.checkpoint_settings
    assert (env.env_path, env.seed, env.base_port, env.num_envs, env.num_areas) == ("Crawler", 3, 6000, 4, 2)
    assert (env.timeout_wait, env.env_args) == (90, ["--level", "3", "--debug", "--force"])
    assert env.max_lifetime_restarts == -1
    assert (env.restarts_rate_limit_n, env.restarts_rate_limit_period_s) == (5, 9)
    assert engine.model_dump() == {
        "width": 640,
        "height": 480,
        "quality_level": 1,
        "time_scale": 2.5,
        "target_frame_rate": 30,
        "capture_frame_rate": 50,
        "no_graphics": True,
        "no_graphics_monitor": True,
    }
    assert (kept.run_id, kept.results_dir, kept.force, kept.resume) == ("first", "out", True, False)
    assert kept.initialize_from == "old"
    assert config.torch_settings.device == "cuda:1"
    assert config.debug is True


def test_the_executables_debug_is_not_ours(learned: Any) -> None:
    config = learned("config.yaml", "--env", "Crawler", "--env-args", "--debug")
    assert (config.debug, config.env_settings.env_args) == (False, ["--debug"])


def test_inference(learned: Any) -> None:
    config = learned("config.yaml", "--run-id", "a", "--resume", "--inference", "--deterministic")
    kept = config.checkpoint_settings
    assert (kept.resume, kept.inference) == (True, True)
    assert config.behavior[1].network_settings.deterministic is True


def test_resuming_goes_before_the_rest(learned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    kept = learned("config.yaml", "--resume", "--force", "--initialize-from", "old").checkpoint_settings
    assert (kept.resume, kept.force, kept.initialize_from) == (True, False, None)
    assert capsys.readouterr().err == (
        "--resume and --force are both given: the run is resumed, and nothing overwritten.\n"
        "--resume and --initialize-from are both given: the run is resumed.\n"
    )


@pytest.mark.parametrize(
    ("kept", "option", "expected"),
    [
        ("resume: true", "--force", (False, True, None)),
        ("force: true", "--resume", (True, False, None)),
        ("resume: true", "--initialize-from=old", (False, False, "old")),
        ("resume: true, initialize_from: old", "", (True, False, "old")),
    ],
)
def test_the_command_counts_more_than_the_file(
    kept: str, option: str, expected: tuple[Any, ...], learned: Any, own_folder: Path
) -> None:
    (own_folder / "kept.yaml").write_text(FILE + f"checkpoint_settings: {{{kept}}}\n")
    settings = learned("kept.yaml", *[word for word in [option] if word]).checkpoint_settings
    assert (settings.resume, settings.force, settings.initialize_from) == expected


def test_removed_flags_that_do_no_harm_are_explained(
    learned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    learned("config.yaml", "--train", "--torch")
    err = capsys.readouterr().err
    assert "--train has no effect: runs train unless --inference is given." in err
    assert "--torch has no effect: there is nothing else." in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "`amble learn` needs a run file"),
        (["config.yaml", "--load"], "--load was deprecated by ML-Agents. Use --resume."),
        (["config.yaml", "--tensorflow"], "--tensorflow was removed by ML-Agents"),
        (["config.yaml", "--env", "Builds/Gone"], "There is no build of a Unity scene at Builds/Gone"),
        (["config.yaml", "--deterministic"], "deterministic` cannot be true while a policy learns"),
        (["config.yaml", "--num-envs", "0"], "--num-envs 0: `env_settings.num_envs` must be at least 1"),
        (["config.yaml", "--torch-device", "gpu"], "--torch-device gpu: `torch_settings.device` must be cpu"),
        (["config.yaml", "--wdith", "3"], "--width"),
        (["gone.yaml"], "no run file and no preset `gone.yaml`"),
    ],
)
def test_refusals(build: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", *words]) == 2
    assert message in capsys.readouterr().err


def test_an_existing_folder_is_refused_without_resume_or_force(
    build: str, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ML-Agents' rule; the environment is one that needs no Unity."""
    text = (
        "behaviors: {3DBall: {max_steps: 8, hyperparameters: {batch_size: 4, buffer_size: 8}, "
        "network_settings: {hidden_units: 4}}}\nenv_settings: {num_envs: 4}\ntorch_settings: {learner: torch}\n"
    )
    (own_folder / "ball.yaml").write_text(text)
    assert main(["learn", "ball.yaml", "--run-id", "a", "--resume"]) == 2
    assert "there is no run to resume" in capsys.readouterr().err
    assert main(["learn", "ball.yaml", "--run-id", "a"]) == 0
    assert main(["learn", "ball.yaml", "--run-id", "a"]) == 2
    assert "a run is already there" in capsys.readouterr().err
    assert main(["learn", "ball.yaml", "--run-id", "a", "--resume"]) == 0
    assert main(["learn", "ball.yaml", "--run-id", "a", "--force"]) == 0
    assert (own_folder / "results" / "a" / "summary.json").is_file()
