"""PPO by clipping as Spinning Up has it. Schulman et al. 2017, arXiv:1707.06347; E16, E20 to E22.

Read top to bottom it is the pseudo-code: collect an epoch, estimate advantages, climb the clipped surrogate until
the KL has gone far enough, fit the value function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim import Adam

from amble.maths.importance import kl_estimate, ratio
from amble.maths.surrogates import clip_fraction, clipped_surrogate
from amble.spinup.actor_critic import MLPActorCritic
from amble.spinup.arguments import EMPTY, Number
from amble.spinup.run import Run
from amble.spinup.values import fit_values


def ppo_pytorch(
    env_fn: Callable[[], Any],
    actor_critic: Callable[..., Any] = MLPActorCritic,
    ac_kwargs: Mapping[str, Any] = EMPTY,
    seed: int = 0,
    steps_per_epoch: int = 4000,
    epochs: int = 50,
    gamma: Number = 0.99,
    clip_ratio: Number = 0.2,
    pi_lr: Number = 3e-4,
    vf_lr: Number = 1e-3,
    train_pi_iters: int = 80,
    train_v_iters: int = 80,
    lam: Number = 0.97,
    max_ep_len: int = 1000,
    target_kl: Number = 0.01,
    logger_kwargs: Mapping[str, Any] = EMPTY,
    save_freq: int = 10,
) -> Any:
    """Proximal policy optimisation by clipping, stopped early by the KL; the trained actor-critic comes back.

    Args:
        env_fn: makes the one environment; Gymnasium's interface.
        actor_critic: class of policy and critic, see `ActorCritic`.
        ac_kwargs: goes to it beside the two spaces.
        seed: of weights, actions and environment.
        steps_per_epoch: decisions collected for each update.
        epochs: updates.
        gamma: discount γ, 0 to 1.
        clip_ratio: ε, usually 0.1 to 0.3: how far the policy may go and still gain from it.
        pi_lr: learning rate of the policy's Adam.
        vf_lr: learning rate of the value function's Adam.
        train_pi_iters: most steps on the policy an epoch, each on all of its samples.
        train_v_iters: steps on the value function an epoch, the same.
        lam: GAE's λ, 0 to 1.
        max_ep_len: episodes are cut after so many decisions, and V of the final observation stands for the rest.
        target_kl: policy steps stop where the estimated KL passes 1.5 times it; usually 0.01 to 0.05.
        logger_kwargs: `output_dir`, `exp_name`, as `setup_logger_kwargs` gives them; `stream` for the tables.
        save_freq: epochs between two saves; safetensors and JSON, never a pickle (see `load_actor_critic`).

    Raises:
        UsageError: an argument cannot be meant; nothing was started or written.
    """
    run = Run(
        "ppo_pytorch",
        {
            "clip_ratio": clip_ratio,
            "pi_lr": pi_lr,
            "vf_lr": vf_lr,
            "train_pi_iters": train_pi_iters,
            "train_v_iters": train_v_iters,
            "target_kl": target_kl,
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
        pi_optimiser = Adam(ac.pi.parameters(), lr=pi_lr, fused=True)
        v_optimiser = Adam(ac.v.parameters(), lr=vf_lr, fused=True)

        for data in run.epochs():
            # Policy: steps on L^CLIP over all samples, until the KL has gone far enough.
            with torch.no_grad():
                entropy = ac.pi(data.observation)[0].entropy().mean()
            losses, kl, clipped = list[float](), 0.0, 0.0
            for _ in range(train_pi_iters):
                _, log_prob = ac.pi(data.observation, data.action)
                rho = ratio(log_prob, data.log_prob)
                loss_pi = clipped_surrogate(rho, data.advantage, clip_ratio)
                losses.append(loss_pi.item())
                kl = kl_estimate(rho.detach()).item()
                clipped = clip_fraction(rho.detach(), clip_ratio).item()
                if not kl <= 1.5 * target_kl:  # written so that a NaN stops it too
                    run.logger.log(f"Early stopping at step {len(losses) - 1}: the KL is {kl:.4f}.")
                    break
                pi_optimiser.zero_grad()
                loss_pi.backward()
                pi_optimiser.step()

            # Value function: regression on the rewards-to-go.
            loss_v, loss_v_after = fit_values(ac.v, v_optimiser, data, train_v_iters)

            run.finish(
                {
                    "LossPi": losses[0],
                    "LossV": loss_v,
                    "DeltaLossPi": losses[-1] - losses[0],
                    "DeltaLossV": loss_v_after - loss_v,
                    "Entropy": entropy.item(),
                    "KL": kl,
                    "ClipFrac": clipped,
                    "StopIter": len(losses) - 1,
                }
            )
        return ac
