"""`hyperparameters`: what the update does with a rollout. Here, what all trainers share, under ML-Agents' names."""

from typing import Any, ClassVar, Literal, cast

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from amble.config.base import Count, NonNegative, Positive, Settings, UnitInterval

Schedule = Literal["linear", "constant"]


def canonical_names(given: dict[str, Any]) -> dict[str, Any]:
    """`given` with `lambda` (as the literature spells it) under ML-Agents' key `lambd`."""
    if "lambda" not in given or "lambd" in given:
        return given
    return {("lambd" if key == "lambda" else key): value for key, value in given.items()}


def contradiction(
    key: str | tuple[str, ...], other: str | tuple[str, ...], message: str
) -> PydanticCustomError:
    """Two settings that cannot both hold, by key or path; the message is said of the one that the user stated."""
    return PydanticCustomError("cross_field", "{message}", {"key": key, "with": other, "message": message})


class Hyperparameters(Settings):
    """What every trainer's update has; N = T·B decisions make one rollout and one iteration."""

    defaults: ClassVar[dict[str, Any]] = {}
    """Where a trainer's defaults differ from those below."""

    buffer_size: Count = Field(
        default=10240,
        description="N = T·B, decisions collected for one iteration. Usual: 2048-409600. Too small: "
        "advantage estimates are noise and updates chase it; too large: the policy is rarely "
        "improved.",
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
    lambd: UnitInterval = Field(
        default=0.95,
        description="λ of generalised advantage estimation, also spelled `lambda`. Usual: 0.9-0.99. 0 is the "
        "one-step TD error (biased by the critic), 1 is Monte Carlo (high variance).",
    )
    max_grad_norm: Positive | None = Field(
        default=0.5,
        description="Upper bound of the gradient's global L2 norm, null for none. Usual: 0.5-1. Too "
        "small: every step is clipped and α loses its meaning; none: one bad minibatch can "
        "ruin the policy.",
    )
    distribution: Literal["gaussian", "squashed", "beta"] = Field(
        default="gaussian",
        description="What continuous actions are drawn from. gaussian: clipped at the bounds, where its gradient "
        "is blind; squashed: tanh of a Gaussian; beta: on the interval itself. The last two need "
        "a box with bounds. No effect on discrete actions.",
    )
    initial_std: Positive = Field(
        default=1.0,
        description="σ at the start, of the raw Gaussian before clip and scaling; in units of the "
        "environment's action it is σ / action_clip. Usual: 0.3-1. Too small: no exploration; "
        "too large: only saturated actions.",
    )
    action_clip: Positive = Field(
        default=3.0,
        description="c: the raw Gaussian action is clipped to ±c and divided by c to give the action in [-1, 1]. "
        "Usual: 1-3. Small: many actions at the bounds, where the gradient is blind; large: "
        "little exploration.",
    )
    normalize_returns: bool = Field(
        default=True,
        description="Whether the critic learns returns standardised by running statistics. Without it the "
        "value loss scales with the square of the return, which asks for another α in every "
        "task.",
    )
    adam_epsilon: Positive = Field(
        default=1e-5,
        description="Adam's ε in the denominator. Usual: 1e-8 to 1e-5. Too small: huge steps where gradients "
        "vanish; too large: plain momentum SGD.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        stated = cast("dict[str, Any]", given)
        if "lambda" in stated and "lambd" in stated:
            message = "and `lambd` are two names of one number, and both are given; keep one."
            raise PydanticCustomError("cross_field", "{message}", {"key": "lambda", "message": message})
        return cls.filled_in(canonical_names(stated))

    @classmethod
    def filled_in(cls, given: dict[str, Any]) -> dict[str, Any]:
        """`given` with this trainer's own defaults for what it leaves open.

        ML-Agents' rule: β follows the learning rate's schedule where only that is given.
        """
        followed = given.get("learning_rate_schedule")
        follower = {"beta_schedule": followed} if followed in ("linear", "constant") else {}
        return {**cls.defaults, **follower, **given}


class GradientHyperparameters(Hyperparameters):
    """What those have besides whose policy follows a gradient at a rate of its own."""

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
