"""TRPO with Spinning Up's interface, which has none for PyTorch. Schulman et al. 2015, arXiv:1502.05477; E20, E21.

Read top to bottom it is the pseudo-code: collect an epoch, estimate advantages, solve F x = g by conjugate gradients,
go back along the step until it keeps to the trust region, fit the value function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence
from torch.optim import Adam

from amble.maths.conjugate_gradient import conjugate_gradient
from amble.maths.fisher import fisher_product
from amble.maths.flat import assign, flatten
from amble.maths.importance import ratio
from amble.maths.line_search import backtrack
from amble.maths.surrogates import surrogate
from amble.spinup.actor_critic import MLPActorCritic
from amble.spinup.arguments import EMPTY, Number
from amble.spinup.epoch import Epoch
from amble.spinup.run import Run
from amble.spinup.values import fit_values

_CG_TOLERANCE = 1e-10
"""Small enough that the iterations allowed are what ends it, as in Spinning Up."""


def trpo_pytorch(
    env_fn: Callable[[], Any],
    actor_critic: Callable[..., Any] = MLPActorCritic,
    ac_kwargs: Mapping[str, Any] = EMPTY,
    seed: int = 0,
    steps_per_epoch: int = 4000,
    epochs: int = 50,
    gamma: Number = 0.99,
    delta: Number = 0.01,
    vf_lr: Number = 1e-3,
    train_v_iters: int = 80,
    damping_coeff: Number = 0.1,
    cg_iters: int = 10,
    backtrack_iters: int = 10,
    backtrack_coeff: Number = 0.8,
    lam: Number = 0.97,
    max_ep_len: int = 1000,
    logger_kwargs: Mapping[str, Any] = EMPTY,
    save_freq: int = 10,
    algo: str = "trpo",
) -> Any:
    """Trust region policy optimisation, or the natural policy gradient; the trained actor-critic comes back.

    Args:
        env_fn: makes the one environment; Gymnasium's interface.
        actor_critic: class of policy and critic, see `ActorCritic`; torch must know the KL of its distributions.
        ac_kwargs: goes to it beside the two spaces.
        seed: of weights, actions and environment.
        steps_per_epoch: decisions collected for each update.
        epochs: updates.
        gamma: discount γ, 0 to 1.
        delta: the trust region's δ: no step's mean KL is larger (with npg only about so). Usually 0.01 to 0.05.
        vf_lr: learning rate of the value function's Adam.
        train_v_iters: steps on the value function an epoch, each on all of its samples.
        damping_coeff: added to the Fisher matrix's diagonal.
        cg_iters: most conjugate gradient iterations.
        backtrack_iters: how many step lengths the line search tries.
        backtrack_coeff: the share of its length that a step keeps from one try to the next, between 0 and 1.
        lam: GAE's λ, 0 to 1.
        max_ep_len: episodes are cut after so many decisions, and V of the final observation stands for the rest.
        logger_kwargs: `output_dir`, `exp_name`, as `setup_logger_kwargs` gives them; `stream` for the tables.
        save_freq: epochs between two saves; safetensors and JSON, never a pickle (see `load_actor_critic`).
        algo: "trpo", or "npg" for the same step without the line search.

    Raises:
        UsageError: an argument cannot be meant; nothing was started or written.
    """
    run = Run(
        "trpo_pytorch",
        {
            "delta": delta,
            "vf_lr": vf_lr,
            "train_v_iters": train_v_iters,
            "damping_coeff": damping_coeff,
            "cg_iters": cg_iters,
            "backtrack_iters": backtrack_iters,
            "backtrack_coeff": backtrack_coeff,
            "algo": algo,
        },
        env_fn=env_fn,
        actor_critic=actor_critic,
        ac_kwargs=ac_kwargs,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        gamma=gamma,
        lam=lam,
        max_ep_len=max_ep_len,
        logger_kwargs=logger_kwargs,
        save_freq=save_freq,
    )
    with run:
        ac = run.actor_critic
        parameters = list(ac.pi.parameters())
        v_optimiser = Adam(ac.v.parameters(), lr=vf_lr, fused=True)

        for data in run.epochs():
            # g, the gradient of E20's surrogate at θ_k, and v ↦ F v from the Hessian of E21's KL there.
            with torch.no_grad():
                pi_old, _ = ac.pi(data.observation)
            pi, log_prob = ac.pi(data.observation, data.action)
            gain = surrogate(ratio(log_prob, data.log_prob), data.advantage)
            gradient = flatten(
                torch.autograd.grad(gain, parameters, retain_graph=True, materialize_grads=True)
            )
            product = fisher_product(mean_kl(pi, pi_old), parameters, float(damping_coeff))

            # x ≈ F⁻¹ g, and the length at which the quadratic model of the KL is δ: √(2δ / xᵀFx) x.
            x = conjugate_gradient(product, gradient, cg_iters, _CG_TOLERANCE).solution
            curvature = float(x @ product(x))
            full_step = math.sqrt(2 * delta / curvature) * x if curvature > 0 else torch.zeros_like(x)

            # The longest of the steps tried that gains and keeps the mean KL within δ; with npg the first, unseen.
            move = partial(_move, ac, parameters, flatten(parameters).detach(), data, pi_old)
            backtracks: dict[str, int] = {}
            step = full_step
            if algo == "trpo":
                search = backtrack(
                    move,
                    full_step,
                    coefficient=float(backtrack_coeff),
                    max_backtracks=backtrack_iters - 1,
                    max_kl=float(delta),
                    expected_improvement=float(gradient @ full_step),
                    accept_ratio=0.0,
                )
                backtracks["BacktrackIters"] = search.backtracks
                if search.step is None:
                    run.logger.log(f"Line search failed ({search.outcome.value}): keeping the old policy.")
                step = torch.zeros_like(full_step) if search.step is None else search.step
            gain_after, kl = move(step)

            # Value function: regression on the rewards-to-go.
            loss_v, loss_v_after = fit_values(ac.v, v_optimiser, data, train_v_iters)

            run.finish(
                {
                    "LossPi": -gain.item(),
                    "LossV": loss_v,
                    "DeltaLossPi": gain.item() - gain_after,
                    "DeltaLossV": loss_v_after - loss_v,
                    "KL": kl,
                    **backtracks,
                }
            )
        return ac


def mean_kl(p: Distribution, q: Distribution) -> Float[Tensor, ""]:
    """E21: the mean over samples of D_KL(p ‖ q), summed over the dimensions of an action."""
    kl = kl_divergence(p, q)
    return kl.flatten(1).sum(dim=1).mean() if kl.ndim > 1 else kl.mean()


@torch.no_grad()
def _move(
    ac: Any,
    parameters: list[Tensor],
    theta: Float[Tensor, "P"],
    data: Epoch,
    pi_old: Distribution,
    step: Float[Tensor, "P"],
) -> tuple[float, float]:
    """Puts the policy at θ_k + step; the surrogate and the mean KL to the old policy there."""
    assign(parameters, theta + step)
    pi, log_prob = ac.pi(data.observation, data.action)
    gain = surrogate(ratio(log_prob, data.log_prob), data.advantage)
    return gain.item(), mean_kl(pi, pi_old).item()
