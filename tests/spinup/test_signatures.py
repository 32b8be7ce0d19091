"""Names, order and defaults of the arguments are those that Spinning Up documents."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import amble
from amble import spinup
from amble.spinup import MLPActorCritic

NEEDED = inspect.Parameter.empty
HEAD = {"env_fn": NEEDED, "actor_critic": MLPActorCritic, "ac_kwargs": {}, "seed": 0}
EPOCHS = {"steps_per_epoch": 4000, "epochs": 50, "gamma": 0.99}
VPG = {
    **HEAD,
    **EPOCHS,
    "pi_lr": 3e-4,
    "vf_lr": 1e-3,
    "train_v_iters": 80,
    "lam": 0.97,
    "max_ep_len": 1000,
    "logger_kwargs": {},
    "save_freq": 10,
}
PPO = {
    **HEAD,
    **EPOCHS,
    "clip_ratio": 0.2,
    "pi_lr": 3e-4,
    "vf_lr": 1e-3,
    "train_pi_iters": 80,
    "train_v_iters": 80,
    "lam": 0.97,
    "max_ep_len": 1000,
    "target_kl": 0.01,
    "logger_kwargs": {},
    "save_freq": 10,
}
TRPO = {
    **HEAD,
    **EPOCHS,
    "delta": 0.01,
    "vf_lr": 1e-3,
    "train_v_iters": 80,
    "damping_coeff": 0.1,
    "cg_iters": 10,
    "backtrack_iters": 10,
    "backtrack_coeff": 0.8,
    "lam": 0.97,
    "max_ep_len": 1000,
    "logger_kwargs": {},
    "save_freq": 10,
    "algo": "trpo",
}


def defaults(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [(name, p.default) for name, p in inspect.signature(function).parameters.items()]


@pytest.mark.parametrize(
    ("function", "documented"),
    [(spinup.vpg_pytorch, VPG), (spinup.ppo_pytorch, PPO), (spinup.trpo_pytorch, TRPO)],
    ids=["vpg", "ppo", "trpo"],
)
def test_algorithms(function: Callable[..., Any], documented: dict[str, Any]) -> None:
    assert defaults(function) == list(documented.items())


def test_the_rest() -> None:
    assert defaults(spinup.setup_logger_kwargs) == [
        ("exp_name", NEEDED),
        ("seed", None),
        ("data_dir", None),
        ("datestamp", False),
    ]
    assert defaults(spinup.ExperimentGrid) == [("name", "")]
    assert defaults(spinup.ExperimentGrid.add)[1:] == [
        ("key", NEEDED),
        ("vals", NEEDED),
        ("shorthand", None),
        ("in_name", False),
    ]
    assert defaults(spinup.ExperimentGrid.run)[1:] == [
        ("thunk", NEEDED),
        ("num_cpu", 1),
        ("data_dir", None),
        ("datestamp", False),
    ]
    assert defaults(MLPActorCritic)[2:] == [
        ("hidden_sizes", (64, 64)),
        ("activation", __import__("torch").nn.Tanh),
    ]


def test_they_are_found_from_the_top() -> None:
    assert amble.spinup.ppo_pytorch is spinup.ppo_pytorch
    with pytest.raises(AttributeError, match="no attribute 'spinning'"):
        _ = amble.spinning
