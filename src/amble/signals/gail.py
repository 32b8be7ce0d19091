"""Generative adversarial imitation: a discriminator pays for what it takes for the demonstration's.

Ho, Ermon 2016, arXiv:1606.03476; with a bottleneck Peng et al. 2019, arXiv:1810.00821 ("VAIL"). It sees states, and
with `use_actions` the action and whether the episode ended with it.
Axes: n samples, T, B as in a rollout, I inputs of the discriminator, Z of the bottleneck.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.reward_signals import RewardSignal
from amble.algorithms.rollout import Rollout
from amble.config import GailReward
from amble.maths.imitation import (
    bottleneck_kl,
    discriminator_loss,
    dual_step,
    gradient_penalty,
    imitation_reward,
)
from amble.nets.action_features import ActionFeatures
from amble.nets.actor_critic import Policy
from amble.nets.network import NetShape
from amble.signals.curiosity import ADAM_EPSILON
from amble.signals.demonstrations import Expert
from amble.signals.passes import passes
from amble.signals.row_net import RowNet

# ML-Agents' numbers.
_PENALTY = 10.0
_BOTTLENECK, _INFORMATION, _DUAL_RATE = 128, 0.5, 5e-4


class Discriminator(nn.Module):
    """How sure it is that it sees a demonstration, as a logit; with VAIL, of what passes N(μ(x), σ²)."""

    def __init__(
        self, policy: Policy, settings: GailReward, shape: NetShape, extra: int, rng: torch.Generator
    ):
        super().__init__()
        normalise, outputs = settings.network_settings.normalize, _BOTTLENECK if settings.use_vail else 1
        self.body = RowNet(policy.layout, shape, outputs, normalise=normalise, extra=extra, rng=rng)
        self.log_std = self.last = None
        if settings.use_vail:
            self.log_std = nn.Parameter(torch.zeros(_BOTTLENECK))
            self.last = nn.Linear(_BOTTLENECK, 1)
            nn.init.orthogonal_(self.last.weight, generator=rng)
            nn.init.zeros_(self.last.bias)
            self.register_buffer("beta", torch.zeros((), dtype=torch.float64))
        self.beta: Tensor

    def forward(
        self, x: Float[Tensor, "*n I"], noise: Float[Tensor, "*n Z"] | None = None
    ) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n M"]]:
        """The logit, and what it was made of: μ of the bottleneck, or the logit itself. `noise` is standard normal."""
        body = self.body(x)
        if self.last is None or self.log_std is None:
            return body.squeeze(-1), body
        passed = body if noise is None else body + self.log_std.exp() * noise
        return self.last(passed).squeeze(-1), body


class Gail(RewardSignal):
    """-log(1 - D(s)) · strength, D learning to tell the rollout's decisions from the demonstration's."""

    def __init__(
        self, policy: Policy, settings: GailReward, shape: NetShape, expert: Expert, rng: torch.Generator
    ):
        super().__init__("gail", settings.gamma, settings.strength)
        self._policy, self._expert, self._use_actions = policy, expert, settings.use_actions
        self._actions = ActionFeatures(policy.actions).to(policy.device)
        extra = self._actions.size + 1 if settings.use_actions else 0
        self.discriminator = Discriminator(policy, settings, shape, extra, rng)
        optimiser = Optimiser(
            self.discriminator.parameters(), settings.learning_rate, epsilon=ADAM_EPSILON, max_grad_norm=None
        )
        self.networks, self.optimisers = {self.name: self.discriminator}, {self.name: optimiser}

    @torch.no_grad()
    def reward(self, rollout: Rollout) -> Float[Tensor, "T B"]:
        """See `RewardSignal.reward`."""
        logit, _ = self.discriminator(self._rollout_inputs(rollout))
        return self.strength * imitation_reward(logit.sigmoid())

    def learn(
        self, rollout: Rollout, env_steps: int, rng: torch.Generator, *, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """See `Aside.learn`; each minibatch meets as many decisions of the demonstration, drawn anew."""
        policy, expert = self._rollout_inputs(rollout).flatten(0, 1), self._expert_inputs()
        device = policy.device

        def loss(index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            drawn = torch.randint(len(expert), index.shape, generator=rng).to(device)
            return self._loss(expert[drawn], policy[index], rng)

        figures = passes(
            loss,
            len(policy),
            self.optimisers[self.name],
            rng,
            epochs=epochs,
            batch_size=batch_size,
            device=device,
        )
        self.discriminator.body.take_in(rollout.observation)
        return figures

    def _loss(
        self, expert: Float[Tensor, "n I"], policy: Float[Tensor, "n I"], rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Discriminator loss + 10 · gradient penalty (+ β (KL - I_c) with VAIL, after which β takes its step)."""
        net = self.discriminator
        both = torch.cat([expert, policy])
        noise = None
        if net.log_std is not None:
            noise = torch.randn(len(both), _BOTTLENECK, generator=rng).to(both.device)
        logit, mean = net(both, noise)
        expert_logit, policy_logit = logit.chunk(2)
        telling = discriminator_loss(expert_logit, policy_logit)
        steep = _PENALTY * gradient_penalty(self._gradient_between(expert, policy, rng))
        figures = {
            "gail_loss": telling,
            "gail_expert_estimate": expert_logit.sigmoid().mean(),
            "gail_policy_estimate": policy_logit.sigmoid().mean(),
            "gail_grad_mag_loss": steep,
        }
        loss = telling + steep
        if net.log_std is not None:
            expert_mean, policy_mean = mean.chunk(2)
            kl = bottleneck_kl(expert_mean, policy_mean, net.log_std.exp())
            loss = loss + float(net.beta) * (kl - _INFORMATION)
            figures |= {"gail_kl_loss": kl, "gail_beta": net.beta.clone()}
            net.beta.fill_(dual_step(float(net.beta), float(kl.detach()), _INFORMATION, _DUAL_RATE))
        return loss, figures

    def _gradient_between(
        self, expert: Float[Tensor, "n I"], policy: Float[Tensor, "n I"], rng: torch.Generator
    ) -> Float[Tensor, "n I"]:
        """∇_x D at one point between each pair of samples, with its graph."""
        share = torch.rand(len(expert), 1, generator=rng).to(expert.device)
        between = (share * expert + (1 - share) * policy).requires_grad_()
        estimate = self.discriminator(between)[0].sigmoid()
        return torch.autograd.grad(estimate.sum(), between, create_graph=True)[0]

    def _rollout_inputs(self, rollout: Rollout) -> Float[Tensor, "T B I"]:
        if not self._use_actions:
            return rollout.observation
        return self._inputs(rollout.observation, *self._actions.apart(rollout.action), rollout.done)

    def _expert_inputs(self) -> Float[Tensor, "n I"]:
        """As the policy's normaliser shows them now."""
        one = self._expert
        rows = self._policy.normalised(one.observation)
        return self._inputs(rows, one.numbers, one.choices, one.done) if self._use_actions else rows

    def _inputs(
        self,
        rows: Float[Tensor, "*n O"],
        numbers: Float[Tensor, "*n A"],
        choices: Int[Tensor, "*n D"],
        done: Bool[Tensor, "*n"],
    ) -> Float[Tensor, "*n I"]:
        return torch.cat(
            [rows, self._actions.features(numbers, choices), done[..., None].to(rows.dtype)], dim=-1
        )
