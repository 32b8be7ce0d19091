"""What `import amble` offers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import amble
from amble.config import run_from_env
from amble.errors import UsageError

SMALL = [
    "hyperparameters.buffer_size=32",
    "hyperparameters.batch_size=16",
    "hyperparameters.num_epoch=1",
    "max_steps=32",
    "env_settings.seed=0",
]


def test_what_it_lists_is_there() -> None:
    assert set(amble.__all__) == {"__version__", "evaluate", "load", "make", "train"}
    assert all(hasattr(amble, name) for name in amble.__all__)


def test_train_load_and_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = amble.train("cartpole", overrides=SMALL)
    assert run == Path("results/cartpole")
    policy = amble.load(run)
    env = amble.make("CartPole-v1", num_envs=3)
    observation, _ = env.reset(seed=0)
    observation, reward, *_ = env.step(policy.act(observation))
    assert reward.tolist() == [1, 1, 1]
    assert np.isfinite(observation).all()
    env.close()
    assert amble.evaluate(str(run), episodes=2)["episodes"] == 2


def test_train_takes_settings_already_loaded(tmp_path: Path) -> None:
    config = run_from_env("CartPole-v1", "ppo", [*SMALL, f"checkpoint_settings.results_dir={tmp_path}"])
    assert amble.train(config) == tmp_path / "CartPole-v1-ppo"
    with pytest.raises(UsageError, match="overrides change a run file"):
        amble.train(config, overrides=["max_steps=64"])


def test_make_keeps_the_boundary() -> None:
    env = amble.make("amble/3DBall-v0", num_envs=2, threads=1)
    assert env.num_envs == 2
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    env.close()


def test_importing_it_where_there_is_no_command_line() -> None:
    """An embedded interpreter has no argv."""
    subprocess.run([sys.executable, "-c", "import sys; sys.argv = []; import amble"], check=True)


def test_importing_it_brings_neither_torch_nor_mujoco() -> None:
    heavy = "import amble, sys; print([name for name in ('torch', 'mujoco', 'matplotlib') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
