"""What holds for every test: numbers are computed on one thread, here and in child processes."""

import os
from pathlib import Path

import pytest

# Before anything imports torch: tests share the machine, and their matrices are small.
os.environ["OMP_NUM_THREADS"] = "1"
# As `amble.unity` sets it, which a test may import after gRPC.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a short run on CartPole; only to be read."""
    from amble.config import run_from_env
    from amble.training.run import train

    settings = {
        "hyperparameters.buffer_size": 32,
        "hyperparameters.batch_size": 16,
        "network_settings.hidden_units": 8,
        "network_settings.num_layers": 1,
        "max_steps": 64,
        "checkpoint_interval": 32,
        "env_settings.seed": 0,
        "checkpoint_settings.results_dir": tmp_path_factory.mktemp("results"),
        "checkpoint_settings.run_id": "trained",
    }
    config = run_from_env("CartPole-v1", "ppo", [f"{key}={value}" for key, value in settings.items()])
    train(config)
    return Path(config.checkpoint_settings.results_dir) / "trained"
