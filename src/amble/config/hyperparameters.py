"""`hyperparameters`: what the update does with a rollout. ML-Agents' keys first, then ours."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from amble.config.base import Count, NonNegative, Positive, Settings, UnitInterval, UnsupportedFlag
from amble.config.dialects import ML_AGENTS_EPSILON, with_dialect

Schedule = Literal["linear", "constant"]


def canonical_names(given: dict[str, Any]) -> dict[str, Any]:
    """`given` with `lambda` (as the literature spells it) under ML-Agents' key `lambd`."""
    if "lambda" not in given or "lambd" in given:
        return given
    return {("lambd" if key == "lambda" else key): value for key, value in given.items()}


def _with_schedules(given: dict[str, Any]) -> dict[str, Any]:
    """ML-Agents' rule: beta and epsilon follow the learning rate's schedule where the file is silent."""
    if "learning_rate_schedule" not in given:
        return given
    followed = given["learning_rate_schedule"]
    return {"beta_schedule": followed, "epsilon_schedule": followed, **given}


class Hyperparameters(Settings):
    """The numbers of the policy update; N = T·B decisions make one rollout and one iteration."""

    batch_size: Count = Field(
        default=1024,
        description="Samples of one minibatch (decisions). Usual: 512-5120 continuous, 32-512 discrete. Too "
        "small: noisy gradients and slow updates; too large: few gradient steps an iteration, slow learning.",
    )
    buffer_size: Count = Field(
        default=10240,
        description="N = T·B, decisions collected for one iteration. Usual: 2048-409600. Too small: "
        "advantage estimates are noise and updates chase it; too large: the policy is rarely "
        "improved.",
    )
    learning_rate: Positive = Field(
        default=3e-4,
        description="α, Adam's step size at the start (per gradient step). Usual: 1e-5 to 1e-3. Too small: "
        "nothing is learned in the budget; too large: the policy collapses and the KL explodes.",
    )
    learning_rate_schedule: Schedule = Field(
        default="linear",
        description="Course of α over max_steps (env steps): linear falls to 1e-10 at the end, constant "
        "stays. Constant late in training keeps the return jumping; linear makes a run's "
        "length part of its result.",
    )
    beta: NonNegative = Field(
        default=5e-3,
        description="β, weight of the entropy bonus (dimensionless). Usual: 1e-4 to 1e-2; 0 switches it "
        "off. Too small: exploration dies early; too large: the policy stays random and never "
        "commits.",
    )
    beta_schedule: Schedule = Field(
        default="linear",
        description="Course of β over max_steps: linear falls to 1e-5. Follows learning_rate_schedule "
        "when only that is given. Constant with a large β keeps the final policy noisy.",
    )
    epsilon: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=ML_AGENTS_EPSILON,
        description="ε, how far the probability ratio may move from 1 in one iteration (dimensionless). "
        "Usual: 0.1-0.3. Too small: slow; too large: updates leave the region where the "
        "estimate holds.",
    )
    epsilon_schedule: Schedule = Field(
        default="linear",
        description="Course of ε over max_steps: linear falls to 0.1 (not 0). Follows "
        "learning_rate_schedule when only that is given. Constant keeps late updates as bold "
        "as early ones.",
    )
    lambd: UnitInterval = Field(
        default=0.95,
        description="λ of generalised advantage estimation, also spelled `lambda`. Usual: 0.9-0.99. 0 is the "
        "one-step TD error (biased by the critic), 1 is Monte Carlo (high variance).",
    )
    num_epoch: Count = Field(
        default=3,
        description="Passes over the rollout in one iteration. Usual: 3-10. Too few: samples are wasted; too "
        "many: the policy overfits the rollout and the ratio runs into its clip.",
    )
    shared_critic: UnsupportedFlag = Field(
        default=False, description="One body for actor and critic (ML-Agents 1.x). Only false exists here."
    )

    dialect: Literal["amble", "ml-agents"] = Field(
        default="amble",
        description="Whose defaults hold for the keys below that the file leaves open. ml-agents repeats "
        "that trainer's update exactly; amble is the better-measured set.",
    )
    ratio: Literal["joint", "per_dimension"] = Field(
        description="r_t, of the whole action (joint: product over A dimensions) or of each dimension by "
        "itself (ML-Agents). Per dimension lets a 39-dimensional policy move much further in "
        "one iteration.",
    )
    advantage_normalization: Literal["minibatch", "rollout", "none"] = Field(
        description="Over which samples Â is brought to mean 0 and standard deviation 1. minibatch: "
        "steadier step sizes, noisy when minibatches are tiny; rollout: ML-Agents; none: α "
        "must fit the reward's size.",
    )
    value_clip: Positive | None = Field(
        description="How far V may move from its old value in one iteration (units of the critic's "
        "target), null for no clip. ML-Agents uses ε in raw return units: with large returns "
        "the critic then hardly moves.",
    )
    max_grad_norm: Positive | None = Field(
        description="Upper bound of the gradient's global L2 norm, null for none. Usual: 0.5-1. Too "
        "small: every step is clipped and α loses its meaning; none: one bad minibatch can "
        "ruin the policy.",
    )
    target_kl: Positive | None = Field(
        description="Epochs of an iteration stop when the estimate of KL(old‖new) passes this (nats), "
        "null for never. Usual: 0.01-0.05. Too small: almost every update is cut short.",
    )
    value_coefficient: NonNegative = Field(
        default=0.5,
        description="c_v, weight of the value loss (dimensionless). Usual: 0.25-1. Too small: a critic "
        "that lags; too large: with a gradient clip it crowds out the policy's share.",
    )
    initial_std: Positive = Field(
        default=1.0,
        description="σ at the start, of the raw Gaussian before clip and scaling; in units of the "
        "environment's action it is σ / action_clip. Usual: 0.3-1. Too small: no exploration; "
        "too large: only saturated actions.",
    )
    action_clip: Positive = Field(
        default=3.0,
        description="c: the raw action is clipped to ±c and divided by c to give the action in [-1, 1]. "
        "Usual: 1-3. Small: many actions at the bounds, where the gradient is blind; large: "
        "little exploration.",
    )
    normalize_returns: bool = Field(
        description="Whether the critic learns returns standardised by running statistics. Without it the "
        "value loss scales with the square of the return, which asks for another α in every "
        "task.",
    )
    adam_epsilon: Positive = Field(
        description="Adam's ε in the denominator. Usual: 1e-8 to 1e-5. Too small: huge steps where gradients "
        "vanish; too large: plain momentum SGD.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        if "lambda" in given and "lambd" in given:
            message = "and `lambd` are two names of one number, and both are given; keep one."
            raise PydanticCustomError("cross_field", "{message}", {"key": "lambda", "message": message})
        return with_dialect(_with_schedules(canonical_names(cast("dict[str, Any]", given))))

    @model_validator(mode="after")
    def _minibatch_fits(self) -> "Hyperparameters":
        if self.batch_size > self.buffer_size:
            message = (
                f"does not fit: batch_size ({self.batch_size}) exceeds buffer_size ({self.buffer_size}), and "
                f"a minibatch cannot hold more decisions than an iteration collects. Lower the first or "
                f"raise the second."
            )
            context = {"key": "batch_size", "with": "buffer_size", "message": message}
            raise PydanticCustomError("cross_field", "{message}", context)
        return self
