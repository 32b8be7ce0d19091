"""The shipped run files: each loads, describes itself and survives being written out."""

from pathlib import Path

import pytest

from amble.config import PPOHyperparameters, list_presets, load_run, to_yaml

NAMES = [
    "3dball",
    "backward",
    "cartpole",
    "cartpole-a2c",
    "cartpole-a3c",
    "cartpole-pg",
    "cartpole-trpo",
    "cheer",
    "crouch",
    "hop",
    "limp",
    "march",
    "mujoco",
    "mujoco-a2c",
    "mujoco-pg",
    "mujoco-trpo",
    "pendulum",
    "pendulum-trpo",
    "run",
    "sidestep",
    "spin",
    "tiptoe-still",
    "walk",
    "walker",
    "walker-behaviour",
    "walker-demo",
    "walker-release-21",
    "walker-stride",
    "walker-terms",
]


def test_the_presets_are_these() -> None:
    assert [preset.name for preset in list_presets()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_loads_and_reads_back_equal(tmp_path: Path, name: str) -> None:
    config = load_run(name)
    assert config.checkpoint_settings.run_id == name
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load_run(path) == config


def test_a_preset_describes_itself_in_its_first_line() -> None:
    for preset in list_presets():
        assert preset.description
        assert preset.path.read_text(encoding="utf-8").startswith(f"# {preset.description}\n")


def test_the_walkers_are_the_two_releases_bodies() -> None:
    assert load_run("walker").env_settings.env_kwargs == {"body": "release_19"}
    assert load_run("walker-release-21").env_settings.env_kwargs == {"body": "release_21"}


def test_the_demo_is_the_whole_task_in_less_time() -> None:
    walker, demo = load_run("walker"), load_run("walker-demo")
    assert demo.env_settings.env_kwargs == walker.env_settings.env_kwargs
    assert demo.behavior[1].max_steps < walker.behavior[1].max_steps
    assert demo.time_limit is not None


@pytest.mark.parametrize(
    ("name", "mirror"), [("walk", True), ("limp", False), ("sidestep", False), ("spin", False)]
)
def test_a_reward_that_tells_left_from_right_has_no_mirror(name: str, mirror: bool) -> None:
    hyper = load_run(name).behavior[1].hyperparameters
    assert isinstance(hyper, PPOHyperparameters)
    assert hyper.mirror is mirror


def test_the_ball_keeps_unitys_rollout_and_network() -> None:
    _, ball = load_run("3dball").behavior
    numbers = ball.hyperparameters
    assert (numbers.buffer_size, numbers.beta, numbers.lambd) == (12000, 0.001, 0.99)
    assert (ball.time_horizon, ball.summary_freq) == (1000, 12_000)
    assert (ball.network_settings.normalize, ball.network_settings.hidden_units) == (True, 128)
