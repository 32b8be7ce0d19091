"""What must be learned in the probe environments is known; the whole trainer must learn it in a second or two."""

from collections.abc import Callable

import pytest
import torch

from amble.config import run_from_env
from amble.training.trainer import Trainer

GAMMA = 0.9
KINDS = pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])


@pytest.fixture
def learn() -> Callable[..., Trainer]:
    """Train on a probe with 16 environments, 16 decisions an iteration."""

    def learned(name: str, iterations: int, *, continuous: bool = False, **settings: object) -> Trainer:
        settings = {
            "hyperparameters.learning_rate": 1e-2,
            "hyperparameters.learning_rate_schedule": "constant",
            "hyperparameters.buffer_size": 256,
            "hyperparameters.batch_size": 128,
            "hyperparameters.num_epoch": 4,
            "network_settings.hidden_units": 16,
            "network_settings.num_layers": 1,
            "network_settings.normalize": "false",
            "reward_signals.extrinsic.gamma": GAMMA,
            "env_settings.env_kwargs.continuous": str(continuous).lower(),
            "env_settings.num_envs": 16,
            "env_settings.backend": "inprocess",
            "env_settings.seed": 0,
            **settings,
        }
        config = run_from_env(
            f"probes:{name}-v0", "ppo", [f"{key}={value}" for key, value in settings.items()]
        )
        trainer = Trainer(config)
        for _ in range(iterations):
            trainer.iterate()
        trainer.close()
        return trainer

    return learned


def value(trainer: Trainer, *observations: float) -> list[float]:
    seen = trainer.policy.normalised(torch.tensor(observations)[:, None])
    return trainer.critic.value(seen).tolist()


def action(trainer: Trainer, *observations: float) -> list[float]:
    mode = trainer.policy.mode(torch.tensor(observations)[:, None])
    return trainer.policy.actions.to_env(mode).flatten().tolist()


@KINDS
def test_a_value(learn: Callable[..., Trainer], continuous: bool) -> None:
    assert value(learn("ValueOnly", 8, continuous=continuous), 0.0) == pytest.approx([1], abs=0.05)


@KINDS
def test_a_value_that_depends_on_what_is_seen(learn: Callable[..., Trainer], continuous: bool) -> None:
    trainer = learn("SeenValue", 8, continuous=continuous)
    assert value(trainer, -1.0, 1.0) == pytest.approx([-1, 1], abs=0.1)


@KINDS
def test_discounting(learn: Callable[..., Trainer], continuous: bool) -> None:
    trainer = learn("Discounting", 15, continuous=continuous)
    assert value(trainer, 0.0, 1.0) == pytest.approx([GAMMA, 1], abs=0.03)


def test_an_action(learn: Callable[..., Trainer]) -> None:
    trainer = learn("PaidAction", 8)
    assert action(trainer, 0.0) == [1]
    probability = trainer.policy(torch.zeros(1, 1)).softmax(-1)[0, 1].item()
    assert probability > 0.9


def test_a_continuous_action(learn: Callable[..., Trainer]) -> None:
    assert action(learn("PaidAction", 15, continuous=True), 0.0) == pytest.approx([0.5], abs=0.05)


def test_an_action_that_depends_on_what_is_seen(learn: Callable[..., Trainer]) -> None:
    trainer = learn("SeenAction", 12)
    assert action(trainer, -1.0, 1.0) == [0, 1]
    assert value(trainer, -1.0, 1.0) == pytest.approx([1, 1], abs=0.05)


def test_a_continuous_action_that_depends_on_what_is_seen(learn: Callable[..., Trainer]) -> None:
    found = action(learn("SeenAction", 20, continuous=True), -1.0, 1.0)
    assert found == pytest.approx([-0.5, 0.5], abs=0.05)


@pytest.mark.parametrize("normalize", ["false", "true"], ids=["raw", "normalised"])
def test_a_time_limit_is_no_end(learn: Callable[..., Trainer], normalize: str) -> None:
    """Taken for terminal, its cut every 5 decisions would make V at most 1 + γ + … + γ⁴ = 4.1; it is 10."""
    trainer = learn("Endless", 20, **{"network_settings.normalize": normalize})
    assert value(trainer, 0.0) == pytest.approx([10], abs=0.1)


def test_ml_agents_dialect_learns_too(learn: Callable[..., Trainer]) -> None:
    trainer = learn("SeenAction", 15, **{"hyperparameters.dialect": "ml-agents"})
    assert action(trainer, -1.0, 1.0) == [0, 1]
