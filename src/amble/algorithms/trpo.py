"""Trust region policy optimisation. Schulman et al. 2015, arXiv:1502.05477; the lecture's E16, E18, E20, E21."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from amble.algorithms.algorithm import Algorithm, Figures, Problem, beta_at
from amble.algorithms.critic_fit import fit
from amble.algorithms.diagnostics import ImportanceDiagnostics
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Rollout, Samples, horizon_ends, known
from amble.config import TRPOHyperparameters
from amble.maths.advantages import gae
from amble.maths.conjugate_gradient import ConjugateGradient, conjugate_gradient
from amble.maths.fisher import fisher_product
from amble.maths.flat import assign, flatten
from amble.maths.importance import ratio
from amble.maths.line_search import LineSearch, backtrack
from amble.maths.schedules import scheduled
from amble.maths.statistics import explained_variance, standardise
from amble.maths.surrogates import surrogate
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic

_CG_TOLERANCE = 1e-5
"""Residual, as a share of the gradient, at which the direction is good enough."""
_FINAL_STEP = 0.01
"""Share of a first step's length that a last one has, where the trust region shrinks."""
_ACCEPT_RATIO = 0.0
"""A step must improve the surrogate; how much of what the gradient promised it brings is logged, not asked for."""


class TRPO(Algorithm):
    """The longest step along the natural gradient that stays within the trust region and keeps its promise."""

    def __init__(
        self,
        policy: Policy,
        critic: Critic,
        settings: TRPOHyperparameters,
        problem: Problem,
        rng: torch.Generator,
    ):
        super().__init__(policy, problem, rng, critic=critic)
        self.critic, self.settings = critic, settings
        self.policy_parameters = [p for p in policy.parameters() if p.requires_grad]
        self.optimisers = {
            "critic": Optimiser(
                critic.parameters(),
                settings.critic_learning_rate,
                epsilon=settings.adam_epsilon,
                max_grad_norm=settings.max_grad_norm,
            )
        }

    def update(self, rollout: Rollout, env_steps: int) -> Figures:
        """Improve the policy by one step within the trust region, then fit the critic; see `Algorithm.update`."""
        s, problem = self.settings, self.problem
        beta = beta_at(env_steps, s, problem)
        delta = self._delta(env_steps)

        value, next_value = rollout.values(self.critic)
        advantage = gae(
            problem.reward_strength * rollout.reward,
            value,
            next_value,
            rollout.terminated,
            rollout.truncated | horizon_ends(rollout, problem.time_horizon),
            gamma=problem.gamma,
            lam=s.lambd,
        )
        value_target = advantage + value
        if s.advantage_normalization == "rollout":
            advantage = standardise(advantage)
        self.critic.take_in(value_target)
        samples = rollout.as_samples(advantage, self.critic.to_units(value_target))
        diagnostics = ImportanceDiagnostics(self.policy, samples)

        figures = self._improve_policy(samples, delta, beta)
        value_loss, skipped = fit(
            lambda batch: self.critic(batch.observation, batch.critic_memory),
            samples,
            self.optimisers["critic"],
            self.rng,
            epochs=s.critic_epochs,
            batch_size=s.batch_size // rollout.sequence_length,
        )
        return {
            **figures,
            "value_loss": value_loss,
            "skipped_value_steps": skipped,
            "explained_variance": explained_variance(value, value_target),
            "value_mean": float(value.mean()),
            "delta": delta,
            "beta": beta,
            **diagnostics.figures(),
        }

    def describe(self) -> str:
        """In a few words, what becomes of a rollout."""
        return f"one step a rollout within a mean KL of {self.settings.delta:g}"

    def _delta(self, env_steps: int) -> float:
        """δ after so many environment steps: with the square of what is left where it falls, for a step goes as √δ."""
        s = self.settings
        left = scheduled(s.delta_schedule, 1.0, _FINAL_STEP, env_steps, self.problem.max_steps)
        return s.delta * left**2

    def _improve_policy(self, samples: Samples, delta: float, beta: float) -> Figures:
        """E20: g = ∇L, x ≈ F⁻¹g by conjugate gradients, the step √(2δ / xᵀFx) x, shortened until it holds."""
        s = self.settings
        start = flatten(self.policy_parameters).detach().clone()
        with torch.no_grad():
            samples.distribution_old = self._distribution(samples)

        gain, divergence, entropy = self._objective(samples, beta)
        gradient = flatten(
            torch.autograd.grad(gain, self.policy_parameters, retain_graph=True, materialize_grads=True)
        )
        product = fisher_product(divergence, self.policy_parameters, s.damping)
        solved = conjugate_gradient(product, gradient, s.cg_iterations, _CG_TOLERANCE)
        direction = solved.solution
        curvature = float(direction @ product(direction))  # xᵀFx, twice the KL of x itself
        length = (2 * delta / curvature) ** 0.5 if curvature > 0 else 0.0

        def moved(step: Float[Tensor, "P"]) -> tuple[float, float]:
            assign(self.policy_parameters, start + step)
            with torch.no_grad():
                gain, divergence, _ = self._objective(samples, beta)
            return float(gain), float(divergence)

        found = backtrack(
            moved,
            length * direction,
            coefficient=s.backtrack_coefficient,
            max_backtracks=s.backtracks,
            max_kl=delta,
            expected_improvement=length * float(gradient @ direction),
            accept_ratio=_ACCEPT_RATIO,
        )
        assign(self.policy_parameters, start if found.step is None else start + found.step)
        return {
            "policy_loss": -float(gain.detach()),
            "entropy": float(entropy.detach()),
            "grad_norm": float(gradient.norm()),
            **_outcome(solved, found),
        }

    def _objective(
        self, samples: Samples, beta: float
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
        """E20's L (with β times the entropy), E21's mean KL(new ‖ old), and the entropy."""
        head = self.policy.head
        output = self.policy(samples.observation, samples.policy_memory)
        rho = ratio(head.log_probs(output, samples.action).sum(-1), samples.log_prob.sum(-1))
        entropy = head.entropies(output).sum(-1).mean()
        gain = surrogate(rho, samples.advantage) + beta * entropy
        kl = head.kl(head.distribution(output), known(samples.distribution_old)).mean()
        return gain, kl, entropy

    def _distribution(self, samples: Samples) -> Float[Tensor, "N *L P"]:
        return self.policy.head.distribution(self.policy(samples.observation, samples.policy_memory))


def _outcome(solved: ConjugateGradient, found: LineSearch) -> Figures:
    """How the step came about, by name."""
    return {
        "kl": found.kl if found.step is not None else 0.0,
        "line_search": found.outcome.value,
        "backtracks": found.backtracks,
        "improvement": found.improvement if found.step is not None else 0.0,
        "conjugate_gradient": solved.outcome.value,
        "cg_iterations": solved.iterations,
        "cg_residual": solved.residual,
    }
