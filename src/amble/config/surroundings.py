"""What surrounds the learning: environment, engine, checkpoints, device."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from amble.config.base import Count, Flag, Plain, Positive, Settings, Whole, refused_if_true


def _folder_name(name: str) -> str:
    if not name.strip() or name in {".", ".."} or re.search(r"[/\\\x00]", name):
        raise ValueError(f"must be the name of one folder (no / or \\, not empty), but is {name!r}.")
    return name


def _device(name: str) -> str:
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise ValueError(f"must be cpu, cuda, cuda:N or mps, but is {name!r}.")
    return name


class EnvSettings(Settings):
    """Which environment and how many of it."""

    env_id: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="Gymnasium id, as gymnasium.make takes it (also `my_module:MyEnv-v0`). Null: the "
        "behaviour's name decides; one that is not ours is a Unity scene's.",
    )
    env_kwargs: dict[str, Plain] = Field(
        default_factory=dict, description="Keyword arguments of the environment: numbers, texts or lists."
    )
    num_envs: Count | None = Field(
        default=None,
        description="B, environments stepped together (count); null: chosen for the environment. Usual: "
        "8-512. Too few: per-step overhead rules; too many: T = N/B gets short and the "
        "critic's bias rules. Unity: how many builds, each with all of its agents; null: 1.",
    )
    backend: Literal["auto", "array", "envpool", "inprocess", "workers"] = Field(
        default="auto",
        description="Who steps the environments. array: batched physics; envpool: its C++ pool; "
        "inprocess: one after the other; workers: processes, for slow environments. auto "
        "takes the fastest that fits.",
    )
    seed: Annotated[Whole, Field(ge=-1, lt=2**32)] = Field(
        default=-1,
        description="Root of all random generators; -1: drawn from 0..9999 when the file is read, and "
        "written out.",
    )
    num_areas: Count = Field(default=1, description="Unity: training areas in each scene.")
    env_path: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="Unity: the build to start, num_envs of it. Null, for a behaviour that is not ours and has no "
        "env_id: wait for a Unity editor.",
    )
    env_args: list[str] | None = Field(default=None, description="Unity: further arguments of the build.")
    base_port: Annotated[Count, Field(lt=65536)] = Field(
        default=5005,
        description="Unity: port of the first build, each further one takes the next; the editor's is 5004.",
    )
    timeout_wait: Count = Field(
        default=60, description="Unity: seconds that a scene may take for each message."
    )
    max_lifetime_restarts: Annotated[Whole, Field(ge=-1)] = Field(
        default=10, description="Unity: how often a build that crashes is started again; −1: without end."
    )
    restarts_rate_limit_n: Annotated[Whole, Field(ge=-1)] = Field(
        default=1,
        description="Unity: how often within restarts_rate_limit_period_s; −1: as often as it crashes.",
    )
    restarts_rate_limit_period_s: Annotated[Whole, Field(ge=0)] = Field(
        default=60, description="Unity: that period (seconds)."
    )


class EngineSettings(Settings):
    """Unity's window and clock, sent to Unity scenes; environments without Unity have neither."""

    width: Whole = Field(default=84, description="Window width (pixels).")
    height: Whole = Field(default=84, description="Window height (pixels).")
    quality_level: Whole = Field(default=5, description="Rendering quality (0-5).")
    time_scale: float = Field(
        default=20.0,
        description="Speed-up of Unity's clock. Usual: 1-100. Too high: physics takes longer steps where a machine "
        "cannot keep up, and what is learned does not hold at 1.",
    )
    target_frame_rate: Whole = Field(default=-1, description="Frames a second; -1: as many as there can be.")
    capture_frame_rate: Whole = Field(default=60, description="Frames a simulated second.")
    no_graphics: Flag = Field(default=False, description="Start builds without a window.")
    no_graphics_monitor: Flag = Field(default=False, description="The same for all builds but the first.")


class CheckpointSettings(Settings):
    """Where the run lives and whether it starts anew."""

    run_id: Annotated[str, AfterValidator(_folder_name)] = Field(
        default="ppo",
        description="Folder of the run below results_dir. When a file does not say: the name of the "
        "preset or file.",
    )
    results_dir: Annotated[str, Field(min_length=1)] = Field(
        default="results", description="Folder that holds the runs."
    )
    initialize_from: Annotated[str, AfterValidator(_folder_name)] | None = Field(
        default=None,
        description="Run-id whose networks this run starts from, with the step counter at 0; or a preset whose "
        "policy comes with the package (the critic is then new). resume goes before it.",
    )
    branch_from: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="RUN@STEP: the checkpoint of another run whose networks this one starts from, with the step "
        "counter at 0; kept as the run's parentage. resume goes before it.",
    )
    reset_std: Positive | None = Field(
        default=None,
        description="σ that a run which starts from another's networks explores with at first, as initial_std is to a "
        "new one; null keeps the σ that the other came to. One that has learned to its end hardly tries "
        "anything else by itself: 0.2-0.4 for another behaviour, null to go on with the same.",
    )
    resume: Flag = Field(default=False, description="Continue the run of this run-id where it stopped.")
    force: Flag = Field(default=False, description="Overwrite a run of this run-id. Its results are lost.")
    inference: Flag = Field(
        default=False,
        description="Act without learning, until Ctrl-C: with resume, by the last checkpoint. Nothing is written. "
        "`amble evaluate` counts episodes.",
    )
    load_model: Annotated[Flag, refused_if_true("it was deprecated by ML-Agents. Use resume.")] = Field(
        default=False, description="Deprecated: resume. Only false exists here."
    )
    train_model: Flag = Field(
        default=False, description="Deprecated: a run trains unless inference says otherwise. No effect."
    )

    @model_validator(mode="after")
    def _one_way_to_start(self) -> "CheckpointSettings":
        if self.resume and self.force:
            message = (
                "contradicts: resume continues the run that force would overwrite; choose one of the two."
            )
            raise PydanticCustomError(
                "cross_field", "{message}", {"key": "resume", "with": "force", "message": message}
            )
        if self.initialize_from is not None and self.branch_from is not None:
            message = "contradicts: a run starts from one other run; choose one of the two."
            raise PydanticCustomError(
                "cross_field",
                "{message}",
                {"key": "branch_from", "with": "initialize_from", "message": message},
            )
        return self


LearnerName = Literal["auto", "torch", "fused"]


class TorchSettings(Settings):
    """Where tensors live, and who takes the gradient steps."""

    device: Annotated[str, AfterValidator(_device)] | None = Field(
        default=None,
        description="cpu, cuda, cuda:N or mps; null: chosen. For networks this small a GPU is often slower.",
    )
    learner: LearnerName = Field(
        default="auto",
        description="Who takes the gradient steps. torch: any network on any device; fused: ppo's on the CPU as one "
        "compiled loop, the same within rounding, for plain vector observations without memory (not beta); auto: "
        "fused where it serves. Small networks learn up to ten times faster by fused; it is compiled once, in 15 s.",
    )
