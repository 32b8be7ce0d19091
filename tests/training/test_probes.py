"""What must be learned in the probe environments is known; every trainer must learn it in a second or two."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from amble.config import run_from_env
from amble.nets.critics import QCritic
from amble.training.trainer import Trainer

GAMMA = 0.9
ESTIMATORS = ("total_return", "reward_to_go", "baseline", "q", "advantage", "td", "gae")
CRITIC = {"critic_learning_rate": 2e-2, "critic_epochs": 4, "batch_size": 128}
PPO = {"learning_rate": 1e-2, "batch_size": 64, "num_epoch": 3}
TRAINERS: dict[str, dict[str, Any]] = {
    **{
        f"pg {estimator}": {"estimator": estimator, "learning_rate": 5e-2, **CRITIC}
        for estimator in ESTIMATORS
    },
    "a2c": {"learning_rate": 2e-2, "advantage_normalization": "rollout"},
    "trpo": {"delta": 0.05, **CRITIC},
    "ppo": PPO,
    "ppo kl_penalty": {**PPO, "objective": "kl_penalty", "kl_coefficient": 0.1, "desired_kl": 0.05},
    "ppo adaptive": {**PPO, "learning_rate_schedule": "adaptive", "desired_kl": 0.05},
    "ppo ml-agents": {**PPO, "dialect": "ml-agents", "value_clip": None},
}
"""Settings of each trainer; the first word is its type."""
NO_VALUE = ("pg total_return", "pg reward_to_go", "pg q")
SOME = pytest.mark.parametrize("name", ["pg gae", "a2c", "trpo", "ppo"])
EVERY = pytest.mark.parametrize("name", TRAINERS)
WITH_VALUE = pytest.mark.parametrize("name", [name for name in TRAINERS if name not in NO_VALUE])
WITH_Q = pytest.mark.parametrize("name", ["pg q", "pg advantage"])
Learn = Callable[..., Trainer]


@pytest.fixture
def learn() -> Learn:
    """Train on a probe with 64 environments, 2 decisions an iteration."""

    def learned(name: str, probe: str, iterations: int, **more: object) -> Trainer:
        trainer_type = name.split(maxsplit=1)[0]
        schedule = "beta_schedule" if trainer_type == "trpo" else "learning_rate_schedule"
        settings: dict[str, object] = {
            f"hyperparameters.{schedule}": "constant",
            "hyperparameters.buffer_size": 128,
            **{f"hyperparameters.{key}": value for key, value in TRAINERS[name].items()},
            "network_settings.hidden_units": 16,
            "network_settings.num_layers": 1,
            "network_settings.normalize": "false",
            "reward_signals.extrinsic.gamma": GAMMA,
            "env_settings.num_envs": 64,
            "env_settings.backend": "inprocess",
            "env_settings.seed": 0,
        }
        for key, value in more.items():
            if key == "gamma":
                settings["reward_signals.extrinsic.gamma"] = value
                continue
            where = "env_settings.env_kwargs" if key in ("continuous", "limit", "kind") else "hyperparameters"
            settings[f"{where}.{key}"] = value
        overrides = [
            f"{key}={'null' if value is None else str(value).lower()}" for key, value in settings.items()
        ]
        trainer = Trainer(run_from_env(f"probes:{probe}-v0", trainer_type, overrides))
        for _ in range(iterations):
            trainer.iterate()
        trainer.close()
        return trainer

    return learned


def value(trainer: Trainer, *observations: float) -> list[float]:
    seen = trainer.policy.normalised(torch.tensor(observations)[:, None])
    with torch.no_grad():
        return trainer.critic.value(seen).tolist()


def action(trainer: Trainer, *observations: float) -> list[float]:
    mode = trainer.policy.mode(torch.tensor(observations)[:, None])
    return trainer.policy.actions.to_env(mode).flatten().tolist()


@SOME
def test_a_value(learn: Learn, name: str) -> None:
    assert value(learn(name, "ValueOnly", 15), 0.0) == pytest.approx([1], abs=0.05)


@WITH_VALUE
def test_a_value_that_depends_on_what_is_seen(learn: Learn, name: str) -> None:
    trainer = learn(name, "SeenValue", 60 if name == "a2c" else 15)
    assert value(trainer, -1.0, 1.0) == pytest.approx([-1, 1], abs=0.1)


@WITH_VALUE
def test_discounting(learn: Learn, name: str) -> None:
    trainer = learn(name, "Discounting", 80 if name == "a2c" else 25, continuous=True)
    assert value(trainer, 0.0, 1.0) == pytest.approx([GAMMA, 1], abs=0.03)


@SOME
def test_an_action(learn: Learn, name: str) -> None:
    trainer = learn(name, "PaidAction", 20)
    assert action(trainer, 0.0) == [1]
    assert trainer.policy(torch.zeros(1, 1)).softmax(-1)[0, 1].item() > 0.85


@SOME
def test_a_continuous_action(learn: Learn, name: str) -> None:
    trainer = learn(name, "PaidAction", 30, continuous=True)
    assert action(trainer, 0.0) == pytest.approx([0.5], abs=0.1)


@EVERY
def test_an_action_that_depends_on_what_is_seen(learn: Learn, name: str) -> None:
    trainer = learn(name, "SeenAction", 15)
    assert action(trainer, -1.0, 1.0) == [0, 1]


@EVERY
def test_a_continuous_action_that_depends_on_what_is_seen(learn: Learn, name: str) -> None:
    trainer = learn(name, "SeenAction", 35, continuous=True)
    assert action(trainer, -1.0, 1.0) == pytest.approx([-0.5, 0.5], abs=0.15)


@WITH_VALUE
def test_a_time_limit_is_no_end(learn: Learn, name: str) -> None:
    """γ = ½. Taken for terminal, its cut every 3 decisions would make V at most 1 + ½ + ¼ = 1.75; it is 2."""
    trainer = learn(name, "Endless", 60 if name == "a2c" else 20, limit=3, gamma=0.5)
    assert value(trainer, 0.0) == pytest.approx([2], abs=0.06)


@WITH_Q
def test_q_of_a_choice(learn: Learn, name: str) -> None:
    """Q(a) = 2a - 1, of the action that was taken and of no other."""
    trainer = learn(name, "PaidAction", 20, learning_rate=1e-3)
    critic = trainer.algorithm.networks["q_critic"]
    assert isinstance(critic, QCritic)
    with torch.no_grad():
        found = critic.of_every_choice(torch.zeros(1, 1))[0].tolist()
    assert found == pytest.approx([-1, 1], abs=0.1)


@WITH_Q
def test_q_of_a_continuous_action(learn: Learn, name: str) -> None:
    """Q(a) = 1 - (a - ½)², a being the draw clipped to ±3 and divided by 3."""
    trainer = learn(name, "PaidAction", 40, continuous=True, learning_rate=1e-3)
    critic = trainer.algorithm.networks["q_critic"]
    assert isinstance(critic, QCritic)
    drawn = torch.tensor([[-1.5], [0.0], [1.5]])
    with torch.no_grad():
        found = critic.value(torch.zeros(3, 1), drawn).tolist()
    assert found == pytest.approx([0, 0.75, 1], abs=0.15)


@WITH_Q
def test_q_goes_on_past_the_end_of_a_rollout(learn: Learn, name: str) -> None:
    """γ = ½: 1/(1-γ) = 2, whatever is chosen."""
    trainer = learn(name, "Endless", 20, learning_rate=1e-3, limit=3, gamma=0.5)
    critic = trainer.algorithm.networks["q_critic"]
    assert isinstance(critic, QCritic)
    with torch.no_grad():
        found = critic.of_every_choice(torch.zeros(1, 1))[0].tolist()
    assert found == pytest.approx([2, 2], abs=0.06)


@pytest.mark.parametrize("distribution", ["squashed", "beta"])
@pytest.mark.parametrize("name", ["pg gae", "trpo", "ppo"])
def test_other_distributions(learn: Learn, name: str, distribution: str) -> None:
    """What is drawn, on average: a Beta comes to the right mean and spread long before its mode leaves the bounds."""
    trainer = learn(name, "SeenAction", 60, continuous=True, distribution=distribution)
    policy, head = trainer.policy, trainer.policy.head
    noise = head.noise((500, 2), torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = policy(torch.tensor([[-1.0], [1.0]])).expand(500, 2, head.outputs)
        drawn = policy.actions.to_env(head.sample(output, noise).flatten(0, 1))
    means = drawn.reshape(500, 2).mean(axis=0).tolist()
    assert means == pytest.approx([-0.5, 0.5], abs=0.2)


@pytest.mark.parametrize(
    ("kind", "right"), [("multi", [2, 0]), ("binary", [1, 0, 1]), ("masked", [1])], ids=str
)
@pytest.mark.parametrize("name", ["pg gae", "trpo", "ppo"])
def test_several_choices(learn: Learn, name: str, kind: str, right: list[int]) -> None:
    trainer = learn(name, "Choices", 15, kind=kind)
    row = torch.tensor([[1.0, 1.0, 1.0, 0.0]]) if kind == "masked" else torch.ones(1, 1)
    assert trainer.policy.actions.to_env(trainer.policy.mode(row)).flatten().tolist() == right
