"""ML-Agents' own run files: every key of theirs is used, is said to have no effect, or is refused by name."""

from pathlib import Path
from typing import Any

import pytest

from amble.config import RunConfig, load_run, without_effect
from amble.config.yaml_reader import read_value
from amble.errors import UsageError

# Every key that a file of ML-Agents' ppo may hold, at ML-Agents' default.
BEHAVIOR = """
    trainer_type: ppo
    hyperparameters:
      batch_size: 1024
      buffer_size: 10240
      learning_rate: 3.0e-4
      learning_rate_schedule: linear
      beta: 5.0e-3
      beta_schedule: linear
      epsilon: 0.2
      epsilon_schedule: linear
      lambd: 0.95
      num_epoch: 3
      shared_critic: false
    network_settings:
      normalize: false
      hidden_units: 128
      num_layers: 2
      vis_encode_type: simple
      goal_conditioning_type: hyper
      deterministic: false
      memory: null
    reward_signals:
      extrinsic:
        gamma: 0.99
        strength: 1.0
    init_path: null
    keep_checkpoints: 5
    checkpoint_interval: 500000
    even_checkpoints: false
    max_steps: 500000
    time_horizon: 64
    summary_freq: 50000
    threaded: false
    self_play: null
    behavioral_cloning: null
"""
REST = """
env_settings:
  env_path: null
  env_args: null
  base_port: 5005
  num_envs: 1
  num_areas: 1
  seed: -1
  max_lifetime_restarts: 10
  restarts_rate_limit_n: 1
  restarts_rate_limit_period_s: 60
  timeout_wait: 60
engine_settings:
  width: 84
  height: 84
  quality_level: 5
  time_scale: 20
  target_frame_rate: -1
  capture_frame_rate: 60
  no_graphics: false
  no_graphics_monitor: false
environment_parameters: null
checkpoint_settings:
  run_id: ppo
  initialize_from: null
  load_model: false
  resume: false
  force: false
  train_model: false
  inference: false
  results_dir: results
torch_settings:
  device: null
debug: false
"""


def file_of(name: str, more: str = "") -> str:
    return f"behaviors:\n  {name}:{BEHAVIOR}{REST}{more}"


def load(folder: Path, text: str, *overrides: str) -> RunConfig:
    path = folder / "run.yaml"
    path.write_text(text)
    return load_run(path, list(overrides))


def test_all_keys_at_once_are_read_and_nothing_is_without_effect(tmp_path: Path) -> None:
    config = load(tmp_path, file_of("PushBlock"))
    assert config.env_id == "amble/Unity-v0"
    assert without_effect(config) == []


USED = {
    "hyperparameters.batch_size": 512,
    "hyperparameters.buffer_size": 20480,
    "hyperparameters.learning_rate": 1e-4,
    "hyperparameters.learning_rate_schedule": "constant",
    "hyperparameters.beta": 1e-2,
    "hyperparameters.beta_schedule": "constant",
    "hyperparameters.epsilon": 0.3,
    "hyperparameters.epsilon_schedule": "constant",
    "hyperparameters.lambd": 0.9,
    "hyperparameters.num_epoch": 10,
    "network_settings.normalize": True,
    "network_settings.hidden_units": 512,
    "network_settings.num_layers": 3,
    "network_settings.vis_encode_type": "resnet",
    "network_settings.goal_conditioning_type": "none",
    "network_settings.memory.sequence_length": 32,
    "network_settings.memory.memory_size": 256,
    "reward_signals.extrinsic.gamma": 0.995,
    "reward_signals.extrinsic.strength": 0.5,
    "init_path": "results/other",
    "keep_checkpoints": 7,
    "checkpoint_interval": 1000,
    "max_steps": 1000,
    "time_horizon": 1000,
    "summary_freq": 30000,
    "env_settings.env_args": ["--level", "3"],
    "env_settings.base_port": 6000,
    "env_settings.num_areas": 4,
    "env_settings.seed": 12,
    "env_settings.timeout_wait": 300,
    "env_settings.max_lifetime_restarts": -1,
    "env_settings.restarts_rate_limit_n": -1,
    "env_settings.restarts_rate_limit_period_s": 10,
    "engine_settings.width": 640,
    "engine_settings.height": 480,
    "engine_settings.quality_level": 1,
    "engine_settings.time_scale": 1.0,
    "engine_settings.target_frame_rate": 30,
    "engine_settings.capture_frame_rate": 30,
    "engine_settings.no_graphics": True,
    "engine_settings.no_graphics_monitor": True,
    "checkpoint_settings.run_id": "first",
    "checkpoint_settings.initialize_from": "other",
    "checkpoint_settings.resume": True,
    "checkpoint_settings.force": True,
    "checkpoint_settings.inference": True,
    "checkpoint_settings.results_dir": "elsewhere",
    "torch_settings.device": "cuda:0",
    "debug": True,
}
"""Key → a value that is not ML-Agents' default; it arrives, and nobody says that it had no effect."""

SAID = {
    "threaded": (True, "an iteration collects, then updates"),
    "framework": ("pytorch", "ML-Agents has removed it"),
    "checkpoint_settings.train_model": (True, "a run trains unless inference says otherwise"),
}
REFUSED = {
    "trainer_type": ("sac", "is not supported: ppo learns the same tasks"),
    "hyperparameters.shared_critic": (True, "actor and critic are two networks here"),
    "network_settings.deterministic": (True, "`amble evaluate`, and a run with inference, act so"),
    "self_play": ({"save_steps": 50000}, "all teams of a behaviour learn as one policy here"),
    "checkpoint_settings.load_model": (True, "Use resume"),
}
ELSEWHERE = {"behavioral_cloning", "env_settings.env_path", "env_settings.num_envs", "environment_parameters"}
"""Tested by themselves."""


def keys(block: Any, above: str = "") -> set[str]:
    if not isinstance(block, dict):
        return {above.rstrip(".")}
    return {name for key, value in block.items() for name in keys(value, f"{above}{key}.")}


def test_no_key_is_left_out() -> None:
    behavior = read_value(BEHAVIOR, "behavior") | {"framework": None}
    behavior["network_settings"]["memory"] = {"sequence_length": 64, "memory_size": 128}
    theirs = keys(behavior) | keys(read_value(REST, "rest"))
    assert theirs == USED.keys() | SAID.keys() | REFUSED.keys() | ELSEWHERE | {"even_checkpoints"}


def value_at(config: RunConfig, key: str) -> Any:
    at: Any = config if key.split(".", maxsplit=1)[0] in RunConfig.model_fields else config.behavior[1]
    for part in key.split("."):
        at = getattr(at, part)
    return at


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", '"')


@pytest.mark.parametrize("key", USED)
def test_what_is_used(tmp_path: Path, key: str) -> None:
    before = value_at(load(tmp_path, file_of("PushBlock"), "network_settings.memory={}"), key)
    config = load(tmp_path, file_of("PushBlock"), "network_settings.memory={}", f"{key}={text_of(USED[key])}")
    assert value_at(config, key) == USED[key] != before
    assert without_effect(config) == []


@pytest.mark.parametrize("key", SAID)
def test_what_is_said_to_have_no_effect(tmp_path: Path, key: str) -> None:
    value, reason = SAID[key]
    (line,) = without_effect(load(tmp_path, file_of("PushBlock"), f"{key}={text_of(value)}"))
    assert f"{key} has no effect: {reason}." in line


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_refused_with_what_to_use_instead(tmp_path: Path, key: str) -> None:
    value, reason = REFUSED[key]
    with pytest.raises(UsageError, match=reason) as refused:
        load(tmp_path, file_of("PushBlock"), f"{key}={text_of(value)}")
    assert f"{key}`" in str(refused.value)


def test_settings_of_unity_have_no_effect_elsewhere(tmp_path: Path) -> None:
    more = ["engine_settings.time_scale=5", "env_settings.num_areas=3"]
    assert without_effect(load(tmp_path, file_of("3DBall"), *more)) == [
        "env_settings.num_areas has no effect: this run's environment is no Unity scene.",
        "engine_settings.time_scale has no effect: this run's environment is no Unity scene.",
    ]


def test_a_spread_of_actions_is_for_runs_that_start_from_others(tmp_path: Path) -> None:
    spread = "checkpoint_settings.reset_std=0.3"
    (line,) = without_effect(load(tmp_path, file_of("3DBall"), spread))
    assert line == "checkpoint_settings.reset_std has no effect: the run starts from no other's networks."
    for start in (
        "checkpoint_settings.initialize_from=old",
        "checkpoint_settings.branch_from=old@1",
        "init_path=old",
    ):
        assert without_effect(load(tmp_path, file_of("3DBall"), spread, start)) == []


# The files of ML-Agents' config/ppo, by what each has besides the plain block; the values are ours.


@pytest.mark.parametrize("name", ["Walker", "Crawler", "Worm", "3DBall", "PushBlock", "Basic", "GridWorld"])
def test_plain_files(tmp_path: Path, name: str) -> None:
    config = load(
        tmp_path, file_of(name), "network_settings.normalize=true", "env_settings.env_path=Builds/Any"
    )
    assert config.behavior[0] == name
    assert config.env_settings.env_path == "Builds/Any"
    assert config.env_id == "amble/Unity-v0"


def test_even_checkpoints(tmp_path: Path) -> None:
    more = ["even_checkpoints=true", "max_steps=1000", "keep_checkpoints=4"]
    assert load(tmp_path, file_of("Walker"), *more).behavior[1].checkpoint_interval == 250


def test_hallway_has_a_memory(tmp_path: Path) -> None:
    memory = "network_settings.memory={sequence_length: 64, memory_size: 128}"
    settings = load(tmp_path, file_of("Hallway"), memory).behavior[1].network_settings
    assert settings.memory is not None
    assert (settings.memory.sequence_length, settings.memory.memory_size) == (64, 128)
    with pytest.raises(
        UsageError, match="a sequence of 64 decisions is longer than a minibatch of batch_size 32"
    ):
        load(tmp_path, file_of("Hallway"), memory, "hyperparameters.batch_size=32")


def test_3dball_randomize_has_samplers(tmp_path: Path) -> None:
    text = file_of("3DBall").replace(
        "environment_parameters: null",
        "environment_parameters:\n"
        "  mass:\n    sampler_type: uniform\n    sampler_parameters:\n      min_value: 0.5\n      max_value: 10\n"
        "  scale:\n    sampler_type: uniform\n    sampler_parameters:\n      min_value: 0.75\n      max_value: 3\n",
    )
    config = load(tmp_path, text)
    assert {name: str(one) for name, one in config.environment_parameters.items()} == {
        "mass": "uniform in [0.5, 10]",
        "scale": "uniform in [0.75, 3]",
    }


WALL_JUMP = """
environment_parameters:
  big_wall_height:
    curriculum:
      - name: Lesson0
        completion_criteria:
          measure: progress
          behavior: BigWallJump
          signal_smoothing: true
          min_lesson_length: 100
          threshold: 0.1
        value:
          sampler_type: uniform
          sampler_parameters:
            min_value: 0.0
            max_value: 4.0
      - name: Lesson1
        value: 8.0
"""


def test_walljump_has_lessons(tmp_path: Path) -> None:
    config = load(tmp_path, file_of("BigWallJump").replace("environment_parameters: null", "") + WALL_JUMP)
    assert config.constant_parameters == {}
    assert set(config.environment_parameters) == {"big_wall_height"}


@pytest.mark.parametrize("name", ["curiosity", "rnd"])
def test_pyramids_has_another_reward(tmp_path: Path, name: str) -> None:
    """Where it is not built, it is refused by name and not as an unknown key."""
    said = refusal(tmp_path, file_of("Pyramids"), f"reward_signals.{name}={{gamma: 0.99, strength: 0.02}}")
    assert "unknown key" not in said
    assert not said or f"reward_signals.{name}` is not supported" in said


def refusal(folder: Path, text: str, *overrides: str) -> str:
    try:
        load(folder, text, *overrides)
    except UsageError as refused:
        return str(refused)
    return ""


def test_the_teams_of_a_group_game_are_refused(tmp_path: Path) -> None:
    text = file_of("SoccerTwos").replace("trainer_type: ppo", "trainer_type: poca")
    with pytest.raises(
        UsageError, match="asks for trainer poca, which is not supported: ppo trains each agent"
    ):
        load(tmp_path, text)
