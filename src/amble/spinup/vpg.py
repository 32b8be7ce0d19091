"""The vanilla policy gradient as Spinning Up has it: E9 with GAE (E16) as weights, one step an epoch.

Read top to bottom it is the pseudo-code: collect an epoch, estimate advantages, take one step up the policy gradient,
fit the value function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim import Adam

from amble.maths.importance import kl_estimate, ratio
from amble.maths.surrogates import policy_gradient_loss
from amble.spinup.actor_critic import MLPActorCritic
from amble.spinup.arguments import EMPTY, Number
from amble.spinup.run import Run
from amble.spinup.values import fit_values


def vpg_pytorch(
    env_fn: Callable[[], Any],
    actor_critic: Callable[..., Any] = MLPActorCritic,
    ac_kwargs: Mapping[str, Any] = EMPTY,
    seed: int = 0,
    steps_per_epoch: int = 4000,
    epochs: int = 50,
    gamma: Number = 0.99,
    pi_lr: Number = 3e-4,
    vf_lr: Number = 1e-3,
    train_v_iters: int = 80,
    lam: Number = 0.97,
    max_ep_len: int = 1000,
    logger_kwargs: Mapping[str, Any] = EMPTY,
    save_freq: int = 10,
) -> Any:
    """Vanilla policy gradient with a learned value function; the trained actor-critic comes back.

    Args:
        env_fn: makes the one environment; Gymnasium's interface.
        actor_critic: class of policy and critic, see `ActorCritic`.
        ac_kwargs: goes to it beside the two spaces.
        seed: of weights, actions and environment.
        steps_per_epoch: decisions collected for each update.
        epochs: updates.
        gamma: discount γ, 0 to 1.
        pi_lr: learning rate of the policy's Adam, which takes one step an epoch.
        vf_lr: learning rate of the value function's Adam.
        train_v_iters: steps on the value function an epoch, each on all of its samples.
        lam: GAE's λ, 0 to 1.
        max_ep_len: episodes are cut after so many decisions, and V of the final observation stands for the rest.
        logger_kwargs: `output_dir`, `exp_name`, as `setup_logger_kwargs` gives them; `stream` for the tables.
        save_freq: epochs between two saves; safetensors and JSON, never a pickle (see `load_actor_critic`).

    Raises:
        UsageError: an argument cannot be meant; nothing was started or written.
    """
    run = Run(
        "vpg_pytorch",
        {"pi_lr": pi_lr, "vf_lr": vf_lr, "train_v_iters": train_v_iters},
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
            # Policy: one step up E9.
            pi, log_prob = ac.pi(data.observation, data.action)
            loss_pi = policy_gradient_loss(log_prob, data.advantage)
            pi_optimiser.zero_grad()
            loss_pi.backward()
            pi_optimiser.step()
            with torch.no_grad():
                _, log_prob_after = ac.pi(data.observation, data.action)
                loss_pi_after = policy_gradient_loss(log_prob_after, data.advantage)

            # Value function: regression on the rewards-to-go.
            loss_v, loss_v_after = fit_values(ac.v, v_optimiser, data, train_v_iters)

            run.finish(
                {
                    "LossPi": loss_pi.item(),
                    "LossV": loss_v,
                    "DeltaLossPi": loss_pi_after.item() - loss_pi.item(),
                    "DeltaLossV": loss_v_after - loss_v,
                    "Entropy": pi.entropy().mean().item(),
                    "KL": kl_estimate(ratio(log_prob_after, data.log_prob)).item(),
                }
            )
        return ac
