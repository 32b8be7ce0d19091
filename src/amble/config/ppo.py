"""PPO's hyperparameters: ML-Agents' keys first, then ours."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from amble.config.base import Count, Flag, FlagOrAuto, NonNegative, Positive, refused_if_true
from amble.config.dialects import ML_AGENTS_EPSILON, with_dialect
from amble.config.hyperparameters import GradientHyperparameters, Schedule, contradiction


class PPOHyperparameters(GradientHyperparameters):
    """Proximal policy optimisation: several epochs of minibatches, kept near the old policy by a clip or a penalty."""

    batch_size: Count = Field(
        default=1024,
        description="Samples of one minibatch (decisions). Usual: 512-5120 continuous, 32-512 discrete. Too "
        "small: noisy gradients and slow updates; too large: few gradient steps an iteration, slow learning.",
    )
    learning_rate_schedule: Literal["linear", "constant", "adaptive"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default="linear",
        description="Course of α over max_steps (env steps): linear falls to 1e-10 at the end, constant "
        "stays, adaptive holds the KL of an epoch near `desired_kl`. Constant late in training keeps "
        "the return jumping; linear makes a run's length part of its result.",
    )
    desired_kl: Positive = Field(
        default=0.01,
        description="KL(old‖new) in nats that the schedule `adaptive` (α) and the objective `kl_penalty` "
        "(its coefficient) aim at. Usual: 0.003-0.03. Too small: slow; too large: the "
        "surrogate no longer tells the truth.",
    )
    desired_kl_schedule: Schedule = Field(
        default="constant",
        description="Course of desired_kl over max_steps (env steps): linear lets it fall with the square of what is "
        "left, so that the steps themselves fall linearly to 0. Constant goes on wandering where the return no longer "
        "rises; linear makes a run's length part of its result.",
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
    num_epoch: Count = Field(
        default=3,
        description="Passes over the rollout in one iteration. Usual: 3-10. Too few: samples are wasted; too "
        "many: the policy overfits the rollout and the ratio runs into its clip.",
    )
    shared_critic: Annotated[
        Flag, refused_if_true("actor and critic are two networks here. Set it to false, ML-Agents' default.")
    ] = Field(
        default=False, description="One body for actor and critic (ML-Agents 1.x). Only false exists here."
    )

    dialect: Literal["amble", "ml-agents"] = Field(
        default="amble",
        description="Whose defaults hold for the keys below that the file leaves open. ml-agents repeats "
        "that trainer's update exactly; amble is the better-measured set.",
    )
    objective: Literal["clip", "kl_penalty"] = Field(
        default="clip",
        description="What keeps the new policy near the old one: the clipped ratio (E22), or a KL penalty whose "
        "coefficient adapts to hold `desired_kl`. The penalty reacts an iteration late; the clip "
        "bounds each sample and not the policy.",
    )
    kl_coefficient: NonNegative = Field(
        default=1.0,
        description="β_KL at the start, the weight of objective kl_penalty's KL (per nat); it is halved and "
        "doubled from there. Usual: 0.1-10. Too small: first updates jump; too large: they stand still "
        "until it has come down.",
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
    advantage_combination: Literal["sum", "mean"] = Field(
        description="What becomes of the advantages of several reward signals. sum: strengths alone decide what each "
        "counts; mean (ML-Agents): another signal halves the first one's. The same once they are normalised: only "
        "with advantage_normalization none must α fit which it is.",
    )
    value_clip: Positive | None = Field(
        description="How far V may move from its old value in one iteration (units of the critic's "
        "target), null for no clip. ML-Agents uses ε in raw return units: with large returns "
        "the critic then hardly moves.",
    )
    target_kl: Positive | None = Field(
        description="Epochs of an iteration stop when the estimate of KL(old‖new) passes this (nats), "
        "null for never. Usual: 0.01-0.05. Too small: almost every update is cut short.",
    )
    mirror: FlagOrAuto = Field(
        default=False,
        description="Whether half of each rollout, drawn anew, is learned from as it looks in a mirror, left and right "
        "exchanged: for a body that says how it looks there (the Walker and Gymnasium's MuJoCo runners do) and a "
        "reward that is the same on both sides; auto: where the body says so and the reward pays both sides alike. On "
        "where a reward of one's own environment does not: unlearns what it pays for. Off: slower, and often a limp.",
    )
    value_coefficient: NonNegative = Field(
        default=0.5,
        description="c_v, weight of the value loss (dimensionless). Usual: 0.25-1. Too small: a critic "
        "that lags; too large: with a gradient clip it crowds out the policy's share.",
    )

    @classmethod
    def filled_in(cls, given: dict[str, Any]) -> dict[str, Any]:
        """`given` with what it leaves open: schedules that follow the learning rate's, then the dialect's defaults."""
        followed = given.get("learning_rate_schedule")
        if followed == "adaptive":
            followed = "constant"
        if followed in ("linear", "constant"):
            given = {"beta_schedule": followed, "epsilon_schedule": followed, **given}
        return with_dialect(given)

    @model_validator(mode="after")
    def _consistent(self) -> "PPOHyperparameters":
        if self.batch_size > self.buffer_size:
            raise contradiction(
                "batch_size",
                "buffer_size",
                f"does not fit: batch_size ({self.batch_size}) exceeds buffer_size ({self.buffer_size}), and "
                f"a minibatch cannot hold more decisions than an iteration collects. Lower the first or "
                f"raise the second.",
            )
        if self.mirror is True and self.distribution != "gaussian":
            raise contradiction(
                "mirror",
                "distribution",
                f"contradicts distribution: {self.distribution}: only a Gaussian's actions are known in the mirror. "
                "Use distribution: gaussian, or mirror: false.",
            )
        if self.objective == "kl_penalty" and self.ratio == "per_dimension":
            raise contradiction(
                "ratio",
                "objective",
                "contradicts objective: kl_penalty bounds the KL of the whole action, whose ratio is the joint one. "
                "Use ratio: joint, or objective: clip.",
            )
        return self
