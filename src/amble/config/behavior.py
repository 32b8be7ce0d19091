"""One behaviour of the run file: who learns, for how long, with what."""

from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializeAsAny,
    model_validator,
)

from amble.config.actor_critics import (
    Q_ESTIMATORS,
    A2CHyperparameters,
    A3CHyperparameters,
    PGHyperparameters,
    TRPOHyperparameters,
)
from amble.config.base import Count, Flag, Settings, refused
from amble.config.hyperparameters import Hyperparameters, contradiction
from amble.config.network import NetworkSettings
from amble.config.ppo import PPOHyperparameters
from amble.config.rewards import CloningSettings, RewardSignals
from amble.config.trainers import SEVERAL_SIGNALS, known_trainer

_MAX_STEPS = 500_000
_KEEP_CHECKPOINTS = 5


HYPERPARAMETERS: dict[str, type[Hyperparameters]] = {
    "pg": PGHyperparameters,
    "a2c": A2CHyperparameters,
    "a3c": A3CHyperparameters,
    "trpo": TRPOHyperparameters,
    "ppo": PPOHyperparameters,
}
"""The block `hyperparameters` of each trainer."""


def _of_trainer(given: object, info: Any) -> object:
    """The block as the trainer's own model; as it is where the trainer is not one of ours. `info` is Pydantic's."""
    model = HYPERPARAMETERS.get(info.data.get("trainer_type", ""))
    if model is None or isinstance(given, model):
        return given
    return model.model_validate(given)


def _our_checkpoint(path: str) -> str:
    if not path.strip():
        raise ValueError("must name a run or one of its checkpoints, but is empty.")
    if path.endswith((".pt", ".onnx")):
        raise ValueError(
            f"is {path!r}: networks of ML-Agents (a .pt file is a Python pickle) cannot be read. Name a run of Amble, "
            "results/RUN, or one of its checkpoints, results/RUN/checkpoints/step-…"
        )
    return path


def _defaults(behavior: dict[str, Any]) -> Hyperparameters:
    return HYPERPARAMETERS[behavior.get("trainer_type", "ppo")].model_validate({})


class BehaviorSettings(Settings):
    """ML-Agents' settings of one behaviour, with its names and its defaults."""

    trainer_type: Annotated[str, AfterValidator(known_trainer)] = Field(
        default="ppo", description="The algorithm, one of `amble.config.TRAINERS`."
    )
    hyperparameters: Annotated[SerializeAsAny[Hyperparameters], BeforeValidator(_of_trainer)] = Field(
        default_factory=_defaults,
        description="What the update does with a rollout; each trainer has its own.",
    )
    network_settings: NetworkSettings = Field(
        default_factory=NetworkSettings, description="The shape of actor and critic."
    )
    reward_signals: RewardSignals = Field(
        default_factory=RewardSignals, description="Which rewards the advantage is made of."
    )
    max_steps: Count = Field(
        default=_MAX_STEPS,
        description="Length of the run (env steps = decisions of all environments together). Usual: 5e5 "
        "to 3e7. It is also the end of every linear schedule, so too large keeps the learning "
        "rate high throughout.",
    )
    time_horizon: Count = Field(
        default=64,
        description="Decisions of one environment before its trajectory is cut and bootstrapped from V. "
        "Usual: 32-2048. Too short: the critic's bias rules; too long: high variance, stale "
        "first samples.",
    )
    summary_freq: Count = Field(
        default=50_000,
        description="Env steps between two lines of progress where the screen is no terminal, at an iteration's end; "
        "a line comes after 10 s too. TensorBoard gets every iteration. Small: a flood of lines.",
    )
    keep_checkpoints: Count = Field(
        default=_KEEP_CHECKPOINTS,
        description="Checkpoints kept, older ones are deleted (count). Large: disk space.",
    )
    checkpoint_interval: Count = Field(
        default=500_000,
        description="Env steps between two checkpoints. Small: time spent writing; large: much lost in a "
        "crash.",
    )
    even_checkpoints: Flag = Field(
        default=False,
        description="Sets checkpoint_interval to max_steps / keep_checkpoints when the file is read.",
    )
    init_path: Annotated[str, AfterValidator(_our_checkpoint)] | None = Field(
        default=None,
        description="Networks to start from, with the step counter at 0: the folder of a run, of one of its "
        "checkpoints, or of a checkpoint by its name alone, in the run that initialize_from names. It goes before "
        "initialize_from, and resume before it.",
    )
    threaded: Flag = Field(
        default=False,
        description="ML-Agents: collect while updating, by a policy one update old. Here an iteration collects, then "
        "updates: no effect, which is said when a run starts.",
    )
    behavioral_cloning: CloningSettings | None = Field(
        default=None, description="Imitation of a demonstration's actions beside the reward; null: none."
    )
    self_play: Annotated[
        None,
        refused(
            "all teams of a behaviour learn as one policy here, each against what the others have learned by now. "
            "Remove the block."
        ),
    ] = Field(default=None, description="Play against past selves. Not supported.")
    framework: str | None = Field(
        default=None, description="Removed in ML-Agents; no effect, which is said when a run starts."
    )

    @model_validator(mode="before")
    @classmethod
    def _space_checkpoints(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        settings = cast("dict[str, Any]", given)
        if settings.get("even_checkpoints") is not True:
            return settings
        steps = settings.get("max_steps", _MAX_STEPS)
        kept = settings.get("keep_checkpoints", _KEEP_CHECKPOINTS)
        if not (isinstance(steps, int | float) and isinstance(kept, int | float) and kept >= 1):
            return settings  # the fields' own validation says what is wrong
        return {**settings, "checkpoint_interval": max(1, int(steps // kept))}

    @model_validator(mode="after")
    def _signals_fit_the_trainer(self) -> "BehaviorSettings":
        if self.trainer_type in SEVERAL_SIGNALS:
            return self
        named = [("reward_signals", name) for name in self.reward_signals.learned]
        named += [("behavioral_cloning",)] if self.behavioral_cloning is not None else []
        for path in named:
            raise contradiction(
                path,
                ("trainer_type",),
                f"is for trainer {' or '.join(SEVERAL_SIGNALS)}, and this run's is {self.trainer_type}, which learns "
                "from the extrinsic reward alone. Remove the block, or change the trainer.",
            )
        return self

    @model_validator(mode="after")
    def _memory_fits(self) -> "BehaviorSettings":
        memory, hyper = self.network_settings.memory, self.hyperparameters
        if memory is None:
            return self
        if isinstance(hyper, PGHyperparameters) and hyper.estimator in Q_ESTIMATORS:
            raise contradiction(
                ("network_settings", "memory"),
                ("hyperparameters", "estimator"),
                f"contradicts estimator {hyper.estimator}: the Q critic has no memory. Remove the block, or take "
                "an estimator with V (baseline, td, gae) or none (total_return, reward_to_go).",
            )
        if getattr(hyper, "mirror", False) is True:
            raise contradiction(
                ("network_settings", "memory"),
                ("hyperparameters", "mirror"),
                "contradicts mirror: what a memory holds has no mirror image. Remove the block, or set mirror to "
                "false.",
            )
        batch_size = getattr(hyper, "batch_size", None)
        if batch_size is not None and memory.sequence_length > batch_size:
            raise contradiction(
                ("network_settings", "memory"),
                ("hyperparameters", "batch_size"),
                f"does not fit: a sequence of {memory.sequence_length} decisions is longer than a minibatch of "
                f"batch_size {batch_size}. Lower sequence_length or raise batch_size.",
            )
        return self
