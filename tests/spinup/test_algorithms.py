"""What the three learn, and how far they step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amble.errors import AmbleError
from amble.spinup import MLPActorCritic, ppo_pytorch, trpo_pytorch, vpg_pytorch
from amble.spinup.trpo import mean_kl
from spinup_helpers import SMALL, OneNumber, probe, progress, quiet

FAST: dict[Any, dict[str, Any]] = {
    vpg_pytorch: {"pi_lr": 3e-2, "epochs": 25, "train_v_iters": 5},
    ppo_pytorch: {"pi_lr": 1e-2, "epochs": 12, "train_v_iters": 5, "train_pi_iters": 20},
    trpo_pytorch: {"delta": 0.1, "epochs": 15, "train_v_iters": 5, "damping_coeff": 1e-3},
}
EACH = pytest.mark.parametrize("function", FAST, ids=lambda function: function.__name__)


def trained(
    function: Any, folder: Path, name: str, *, own: dict[str, Any] | None = None, **kwargs: Any
) -> Any:
    arguments = {**SMALL, **FAST[function], **(own or {})}
    return function(probe(name, **kwargs), logger_kwargs=quiet(folder), **arguments)


def column(folder: Path, name: str) -> list[float]:
    return [row[name] for row in progress(folder)]


@EACH
def test_an_action_that_depends_on_what_is_seen(function: Any, tmp_path: Path) -> None:
    ac = trained(function, tmp_path, "SeenAction")
    pi, _ = ac.pi(torch.tensor([[-1.0], [1.0]]))
    assert pi.probs[0, 0] > 0.8
    assert pi.probs[1, 1] > 0.8


@EACH
def test_a_continuous_action(function: Any, tmp_path: Path) -> None:
    own = {"epochs": 2 * FAST[function]["epochs"]}
    ac = trained(function, tmp_path, "PaidAction", continuous=True, own=own)
    pi, _ = ac.pi(torch.zeros(1))
    assert pi.mean.item() == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("cut", ["environment", "max_ep_len", "epoch"])
def test_a_time_limit_is_no_end(cut: str, tmp_path: Path) -> None:
    """Taken for terminal, a cut every 5 decisions would make V at most 1 + γ + … + γ⁴ = 4.1; it is 1/(1-γ) = 10."""
    own: dict[str, Any] = {"train_v_iters": 40, "epochs": 35, "vf_lr": 3e-2}
    own |= {"max_ep_len": 5} if cut == "max_ep_len" else {}
    own |= {"steps_per_epoch": 5} if cut == "epoch" else {"steps_per_epoch": 20}
    ac = trained(vpg_pytorch, tmp_path, "Endless", limit=5 if cut == "environment" else 10**9, own=own)
    assert ac.v(torch.zeros(1)).item() == pytest.approx(10, abs=0.3)


def test_an_end_is_an_end(tmp_path: Path) -> None:
    """V(1) = 1 and V(0) = γ = 0.9, also where max_ep_len falls on the end."""
    own = {"train_v_iters": 40, "max_ep_len": 2}
    ac = trained(vpg_pytorch, tmp_path, "Discounting", own=own)
    assert ac.v(torch.tensor([[0.0], [1.0]])).tolist() == pytest.approx([0.9, 1], abs=0.03)


def test_policy_steps_stop_at_one_and_a_half_times_the_target(tmp_path: Path) -> None:
    """Stopped at step k, the KL there is above 1.5·target; at step k - 1, where the same run is cut, it is not."""
    own = {"epochs": 1, "pi_lr": 3e-3, "train_pi_iters": 80, "target_kl": 0.01}
    trained(ppo_pytorch, tmp_path / "whole", "SeenAction", own=own)
    (stopped,), (kl,) = column(tmp_path / "whole", "StopIter"), column(tmp_path / "whole", "KL")
    assert 1 <= stopped < 79
    assert kl > 0.015
    trained(ppo_pytorch, tmp_path / "cut", "SeenAction", own={**own, "train_pi_iters": int(stopped)})
    (kl,) = column(tmp_path / "cut", "KL")
    assert 0 < kl <= 0.015


def test_the_first_policy_step_starts_from_the_same_policy(tmp_path: Path) -> None:
    """There ρ = 1 exactly, so that the KL and the clip fraction are 0 and the loss is minus the mean advantage, 0."""
    trained(ppo_pytorch, tmp_path, "SeenAction", own={"epochs": 3, "train_pi_iters": 1}, continuous=True)
    assert column(tmp_path, "KL") == column(tmp_path, "ClipFrac") == column(tmp_path, "StopIter") == [0, 0, 0]
    assert column(tmp_path, "LossPi") == pytest.approx([0, 0, 0], abs=1e-6)


def test_vpg_takes_one_step(tmp_path: Path) -> None:
    """Adam's first step moves every parameter by the learning rate, however large its gradient is."""
    ac = trained(vpg_pytorch, tmp_path, "SeenAction", own={"epochs": 1, "pi_lr": 1e-3, "seed": 5})
    with torch.random.fork_rng():
        torch.manual_seed(5)
        env = probe("SeenAction")()
        before = MLPActorCritic(env.observation_space, env.action_space, hidden_sizes=(16,))
    pairs = zip(ac.pi.parameters(), before.pi.parameters(), strict=True)
    moves = torch.cat([(after - then).detach().abs().flatten() for after, then in pairs])
    assert moves.numpy() == pytest.approx(1e-3, rel=1e-2)
    assert column(tmp_path, "DeltaLossPi")[0] < 0 < column(tmp_path, "KL")[0]


@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
def test_trpo_stays_in_the_trust_region(continuous: bool, tmp_path: Path) -> None:
    own = {"delta": 0.01, "epochs": 8}
    trained(trpo_pytorch, tmp_path, "SeenAction", continuous=continuous, own=own)
    kl = column(tmp_path, "KL")
    assert max(kl) <= 0.01
    assert np.median(kl) > 0.002  # and uses it
    assert max(column(tmp_path, "DeltaLossPi")) <= 0


def test_npg_is_the_same_step_unseen(tmp_path: Path) -> None:
    trained(trpo_pytorch, tmp_path, "SeenAction", own={"algo": "npg", "epochs": 3})
    assert "BacktrackIters" not in progress(tmp_path)[0]
    assert min(column(tmp_path, "KL")) > 0


def test_without_a_gradient_trpo_keeps_its_policy(tmp_path: Path) -> None:
    trained(trpo_pytorch, tmp_path, "ValueOnly", own={"epochs": 2})
    assert column(tmp_path, "KL") == [0, 0]


@EACH
def test_an_actor_critic_of_ones_own(function: Any, tmp_path: Path) -> None:
    own = {"actor_critic": OneNumber, "ac_kwargs": {"bias": 0.5}, "epochs": 2 * FAST[function]["epochs"]}
    ac = trained(function, tmp_path, "PaidAction", continuous=True, own=own)
    assert isinstance(ac, OneNumber)
    assert ac.pi.mean.item() == pytest.approx(0.5, abs=0.12)
    assert ac.v.value.item() > 0.6


@EACH
def test_seeds(function: Any, tmp_path: Path) -> None:
    """The same seed gives the same run, whatever was drawn before; another gives another."""
    before = torch.get_rng_state()
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(function, tmp_path / name, "SeenAction", own={"epochs": 2, "seed": seed}, continuous=True)
        runs.append([{**row, "Time": 0} for row in progress(tmp_path / name)])
        assert torch.equal(torch.get_rng_state(), before)
        before = torch.manual_seed(seed + 100).get_state()
        np.random.seed(seed + 100)
    assert runs[0] == runs[1] != runs[2]


def test_weights_that_run_away_are_named(tmp_path: Path) -> None:
    with pytest.raises(AmbleError, match=r"epoch 0: the update made weights that are not finite.*pi_lr"):
        trained(vpg_pytorch, tmp_path, "SeenAction", own={"vf_lr": 1e38, "epochs": 3})


def test_the_mean_kl_by_hand() -> None:
    """Two samples of two dimensions, σ = 1 against 2: log 2 + (1 + Δ²)/8 - ½ each dimension; Δ = 0 but for one of 2."""
    one = torch.distributions.Normal(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), 1.0)
    two = torch.distributions.Normal(torch.zeros(2, 2), 2.0)
    still = np.log(2) + 1 / 8 - 1 / 2
    assert mean_kl(one, two).item() == pytest.approx((4 * still + 4 / 8) / 2)
    even = torch.distributions.Categorical(probs=torch.tensor([[0.5, 0.5]]))
    odd = torch.distributions.Categorical(probs=torch.tensor([[0.25, 0.75]]))
    assert mean_kl(odd, even).item() == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))
