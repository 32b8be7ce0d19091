"""What cannot be meant is refused by name, before anything is started or written."""

import re
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from gymnasium import spaces
from torch import nn

from amble.errors import UsageError
from amble.spinup import MLPActorCritic, ppo_pytorch, trpo_pytorch, vpg_pytorch
from amble.spinup.arguments import check_arguments
from spinup_helpers import SMALL, OneNumber, probe, quiet


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("env_fn", "CartPole-v1", "expected a function"),
        ("actor_critic", None, "expected a class"),
        ("ac_kwargs", (64, 64), "expected a dict"),
        ("seed", -1, "expected a whole number, at least 0"),
        ("seed", True, "expected a whole number"),
        ("steps_per_epoch", 0, "expected a whole number, at least 1"),
        ("epochs", 2.5, "expected a whole number"),
        ("gamma", 1.01, "expected a number from 0 to 1. It is the discount γ"),
        ("gamma", float("nan"), "expected a number from 0 to 1"),
        ("lam", -0.1, "expected a number from 0 to 1. It is GAE's λ"),
        ("max_ep_len", 0, "expected a whole number, at least 1"),
        ("save_freq", 0, "expected a whole number, at least 1"),
        ("pi_lr", 0.0, "expected a number above 0"),
        ("vf_lr", float("inf"), "expected a number above 0"),
        ("train_pi_iters", 0, "expected a whole number, at least 1"),
        ("train_v_iters", 0, "expected a whole number, at least 1"),
        ("clip_ratio", -0.2, "expected a number above 0"),
        ("target_kl", 0, "expected a number above 0"),
        ("delta", 0, "expected a number above 0. It is the trust region's δ"),
        ("damping_coeff", -0.1, "expected a number, at least 0"),
        ("cg_iters", 0, "expected a whole number, at least 1"),
        ("backtrack_iters", 0, "expected a whole number, at least 1"),
        ("backtrack_coeff", 1.0, "expected a number between 0 and 1"),
        ("algo", "ppo", "expected 'trpo' or 'npg'"),
        ("logger_kwargs", "here", "expected a dict"),
    ],
)
def test_each_argument_has_its_range(name: str, value: Any, expected: str) -> None:
    with pytest.raises(
        UsageError, match=re.escape(f"ppo_pytorch: `{name}` is {value!r}, expected")
    ) as refusal:
        check_arguments("ppo_pytorch", {name: value})
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("function", "argument"),
    [(ppo_pytorch, {"lam": 1.5}), (vpg_pytorch, {"steps_per_epoch": 0}), (trpo_pytorch, {"delta": -0.01})],
    ids=["ppo", "vpg", "trpo"],
)
def test_nothing_is_started_or_written(function: Any, argument: dict[str, Any], tmp_path: Path) -> None:
    def env_fn():
        raise AssertionError("an environment was made")

    with pytest.raises(UsageError, match=f"{function.__name__}: `{next(iter(argument))}` is"):
        function(env_fn, logger_kwargs=quiet(tmp_path / "out"), **argument)
    assert not (tmp_path / "out").exists()


def test_logger_kwargs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="logger_kwargs has `outputdir`, expected output_dir, "):
        ppo_pytorch(probe("ValueOnly"), logger_kwargs={"outputdir": str(tmp_path)})


def refused(tmp_path: Path, match: str, env_fn: Any, **arguments: Any) -> None:
    with pytest.raises(UsageError, match=match):
        ppo_pytorch(env_fn, epochs=1, logger_kwargs=quiet(tmp_path / "out"), **{**SMALL, **arguments})
    assert not (tmp_path / "out").exists()


def test_the_environment_is_one(tmp_path: Path) -> None:
    refused(tmp_path, "env_fn gave NoneType; expected one Gymnasium environment", lambda: None)
    several = lambda: gymnasium.make_vec("CartPole-v1", num_envs=2)  # noqa: E731
    refused(tmp_path, "env_fn gave .*Vector.*; expected one Gymnasium environment", several)


def test_spaces(tmp_path: Path) -> None:
    picture = spaces.Box(0, 1, (2, 2))
    number = spaces.Box(0, 1, (2,))
    with pytest.raises(
        UsageError, match=r"observation_space: MLPActorCritic takes a flat Box, not Box.*Flatten"
    ):
        MLPActorCritic(picture, number)
    with pytest.raises(
        UsageError, match="action_space: MLPActorCritic takes a flat Box or a Discrete, not Multi"
    ):
        MLPActorCritic(number, spaces.MultiDiscrete([2, 2]))
    with pytest.raises(UsageError, match="does not start at 0"):
        MLPActorCritic(number, spaces.Discrete(2, start=1))


def test_an_actor_critic_that_lacks_something(tmp_path: Path) -> None:
    class Half(nn.Module):
        def __init__(self, *spaces: Any) -> None:
            super().__init__()
            self.pi = OneNumber.Pi()

    arguments = {"ac_kwargs": {}}
    refused(tmp_path, "a Half that lacks `v`, `step`", probe("ValueOnly"), actor_critic=Half, **arguments)
    plain = lambda *spaces: type("Plain", (), {"pi": 1, "v": 1, "step": 1})()  # noqa: E731
    refused(tmp_path, "Plain that is no torch.nn.Module", probe("ValueOnly"), actor_critic=plain, **arguments)


def test_the_old_gym(tmp_path: Path) -> None:
    class Old:
        observation_space, action_space = spaces.Box(-1, 1, (1,)), spaces.Discrete(2)

        def reset(self, seed: int | None = None):
            return torch.zeros(1).numpy()

        def step(self, action: int):
            return torch.zeros(1).numpy(), 0.0, False, {}

    class HalfNew(Old):
        def reset(self, seed: int | None = None):
            return super().reset(), {}

    for env, match in (
        (Old, r"env.reset gave ndarray, .*\(obs, info\)"),
        (HalfNew, "env.step gave 4 values, "),
    ):
        with pytest.raises(UsageError, match=match):
            ppo_pytorch(env, logger_kwargs=quiet(tmp_path), epochs=1, **SMALL)
