"""Hyperparameters of the ladder below PPO: policy gradient, A2C, A3C, TRPO."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from amble.config.base import Count, NonNegative, Positive
from amble.config.hyperparameters import GradientHyperparameters, Hyperparameters, Schedule

Estimator = Literal["total_return", "reward_to_go", "baseline", "q", "advantage", "td", "gae"]
Q_ESTIMATORS: tuple[Estimator, ...] = ("q", "advantage")
"""Those that need a learned Q(s, a)."""


class _SeparateCritic(Hyperparameters):
    """What trainers have whose critic learns in gradient steps of its own."""

    advantage_normalization: Literal["rollout", "none"] = Field(
        default="rollout",
        description="Whether the weights Φ of a rollout are brought to mean 0 and standard deviation 1. none: the "
        "plain estimate, and α must fit the reward's size; rollout: steadier steps, the mean being a baseline.",
    )
    critic_learning_rate: Positive = Field(
        default=1e-3,
        description="Adam's step size for the critic, constant (per gradient step). Usual: 3e-4 to 3e-3. Too small: "
        "the critic lags behind the policy; too large: it chases the last rollout.",
    )
    critic_epochs: Count = Field(
        default=10,
        description="The critic's passes over each rollout (count). Usual: 5-80. Too few: a critic that lags; too "
        "many: it learns one rollout's noise by heart.",
    )
    batch_size: Count = Field(
        default=256,
        description="Samples of one minibatch of the critic (decisions); the policy takes the whole rollout at once. "
        "Usual: 64-1024, a whole rollout if that is smaller. Small: noisy and slow.",
    )


class PGHyperparameters(_SeparateCritic, GradientHyperparameters):
    """Vanilla policy gradient: one gradient step of the policy a rollout, weighted by the estimator's Φ."""

    defaults: ClassVar[dict[str, Any]] = {"buffer_size": 4096, "beta": 0.0, "max_grad_norm": None}

    estimator: Estimator = Field(
        default="gae",
        description="Φ_t, what a decision's log-probability is weighted by (E10-E16). total_return and reward_to_go "
        "need no critic and have the highest variance; baseline and gae take V, td one step of it; q, advantage learn "
        "Q(s, a), whose error is bias.",
    )


class A2CHyperparameters(GradientHyperparameters):
    """Synchronous advantage actor-critic: one gradient step of the whole loss a short rollout."""

    defaults: ClassVar[dict[str, Any]] = {
        "buffer_size": 64,
        "learning_rate": 1e-3,
        "beta": 0.0,
        "lambd": 1.0,
    }

    advantage_normalization: Literal["rollout", "none"] = Field(
        default="none",
        description="Whether the advantages of a rollout are brought to mean 0 and standard deviation 1. none: the "
        "plain estimate; rollout: with rollouts this short, good ones are learned from no more than bad ones.",
    )
    value_coefficient: NonNegative = Field(
        default=0.5,
        description="c_v, weight of the value loss (dimensionless). Usual: 0.25-1. Too small: a critic "
        "that lags; too large: with a gradient clip it crowds out the policy's share.",
    )


class A3CHyperparameters(A2CHyperparameters):
    """Asynchronous advantage actor-critic: workers push A2C's gradients to shared parameters without waiting."""

    buffer_size: Count = Field(
        default=64,
        description="N = T·B, decisions of one gradient push of one worker, B being its share of num_envs. Usual: "
        "64-512. Too small: noisy gradients, and pushes cost more than the environments; too large: few updates, "
        "each of them staler in decisions.",
    )
    workers: Count = Field(
        default=2,
        description="Processes that each act and learn with a copy of the networks and a share of the environments "
        "(count). Usual: one a core. More: staler gradients and cores that are shared; 1 is A2C in another process.",
    )


class TRPOHyperparameters(_SeparateCritic):
    """Trust region policy optimisation: the natural gradient's direction, as far as the mean KL allows."""

    defaults: ClassVar[dict[str, Any]] = {"buffer_size": 2048, "beta": 0.0, "max_grad_norm": None}

    delta: Positive = Field(
        default=0.01,
        description="δ, the largest mean KL(new‖old) of one iteration (nats). Usual: 0.001-0.05. Too small: slow; too "
        "large: the surrogate no longer tells the truth and steps are refused.",
    )
    delta_schedule: Schedule = Field(
        default="constant",
        description="Course of δ over max_steps (env steps): linear lets it fall with the square of what is left, so "
        "that the steps themselves fall linearly to a hundredth. Constant goes on wandering where the return no longer "
        "rises; linear makes a run's length part of its result.",
    )
    damping: NonNegative = Field(
        default=0.1,
        description="Added to the Fisher matrix's diagonal, F + damping·I (dimensionless). Usual: 0.01-0.1. Too small: "
        "directions that rounding made up; too large: plain gradient steps.",
    )
    cg_iterations: Count = Field(
        default=10,
        description="Conjugate gradient steps towards F⁻¹g (count). Usual: 10-20. Too few: near the plain gradient; "
        "too many: time, and rounding errors that add up.",
    )
    backtracks: Count = Field(
        default=10,
        description="Step lengths that the line search tries before it refuses the step (count). Usual: 10. Too few: "
        "steps refused that a shorter one would have saved.",
    )
    backtrack_coefficient: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.8,
        description="Factor from one tried step length to the next (dimensionless). Usual: 0.5-0.8. Small: short "
        "steps; near 1: many trials.",
    )
