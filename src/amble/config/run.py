"""The whole run file as one frozen object."""

from typing import Any, cast

from pydantic import Field, model_validator

from amble.config.actor_critics import A3CHyperparameters
from amble.config.base import Flag, Positive, Settings
from amble.config.behavior import BehaviorSettings
from amble.config.hyperparameters import canonical_names, contradiction
from amble.config.nearest import did_you_mean
from amble.config.parameters import CurriculumSettings, Parameter, constant
from amble.config.reshaping import RewardSettings
from amble.config.surroundings import CheckpointSettings, EngineSettings, EnvSettings, TorchSettings
from amble.errors import UsageError

BEHAVIOR_ENVIRONMENTS: dict[str, str] = {"Walker": "amble/Walker-v0", "3DBall": "amble/3DBall-v0"}
"""Unity's behaviours that we have: an ML-Agents file needs no `env_id` for these."""

UNITY_ENV = "amble/Unity-v0"
"""The environment of every other behaviour: a Unity scene, a build or in the editor."""


def merged_blocks(base: object, over: object) -> object:
    """Deep merge: blocks are united, and where both give a value, `over` does."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    base_block, over_block = cast("dict[str, Any]", base), cast("dict[str, Any]", over)
    result = dict(base_block)
    for key, value in over_block.items():
        result[key] = merged_blocks(base_block[key], value) if key in base_block else value
    return result


def _canonical_behavior(given: object) -> object:
    if given is None:
        return {}
    if not isinstance(given, dict):
        return given
    behavior = cast("dict[str, Any]", given)
    hyperparameters = behavior.get("hyperparameters")
    if not isinstance(hyperparameters, dict):
        return behavior
    return {**behavior, "hyperparameters": canonical_names(cast("dict[str, Any]", hyperparameters))}


class RunConfig(Settings):
    """Everything a run depends on, resolved: no other room fills in a default of its own."""

    behaviors: dict[str, BehaviorSettings] = Field(
        default_factory=dict,
        description="The behaviours by name. One, or those of a Unity scene, each trained by its own settings.",
    )
    default_settings: BehaviorSettings | None = Field(
        default=None,
        description="Merged into every behaviour when the file is read, and null from then on.",
    )
    env_settings: EnvSettings = Field(default_factory=EnvSettings, description="Which environment, how many.")
    engine_settings: EngineSettings = Field(
        default_factory=EngineSettings, description="Unity's window and clock, for Unity scenes."
    )
    rewards: RewardSettings | None = Field(
        default=None,
        description="A reward of named terms in place of the environment's own; null: the environment's own.",
    )
    environment_parameters: dict[str, Parameter] = Field(
        default_factory=dict,
        description="Numbers handed to the environment by name: constant over the run, drawn for every episode "
        "(a sampler), or changing as the behaviour learns (a curriculum).",
    )
    checkpoint_settings: CheckpointSettings = Field(
        default_factory=CheckpointSettings, description="Where the run lives and whether it starts anew."
    )
    torch_settings: TorchSettings = Field(
        default_factory=TorchSettings, description="Where tensors live, and who takes the gradient steps."
    )
    debug: Flag = Field(default=False, description="More detail in the log.")
    time_limit: Positive | None = Field(
        default=None,
        description="Wall-clock budget (seconds); the run stops cleanly when it is used up. Null: none. "
        "Schedules do not know of it: a run cut short ends with a learning rate that has not "
        "come down.",
    )
    notes: list[str] = Field(
        default_factory=list,
        description="Lines shown on screen when the run starts: what a reader must know.",
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        # An empty block (`env_settings:` with nothing below) is YAML's null, and means the defaults.
        run = {
            key: value
            for key, value in cast("dict[str, Any]", given).items()
            if value is not None or key not in cls.model_fields or key == "debug"
        }
        behaviors = run.get("behaviors")
        if not isinstance(behaviors, dict):
            return run
        by_name = cast("dict[str, Any]", behaviors)
        default = _canonical_behavior(run.get("default_settings"))
        if isinstance(default, dict) and by_name:
            run["behaviors"] = {
                name: merged_blocks(cast("dict[str, Any]", default), _canonical_behavior(behavior))
                for name, behavior in by_name.items()
            }
            run.pop("default_settings", None)
        return _with_environment(run, list(by_name))

    @model_validator(mode="after")
    def _asynchronous_workers_fit(self) -> "RunConfig":
        env, device = self.env_settings, self.torch_settings.device
        for name, behavior in self.behaviors.items():
            hyper, trainer = behavior.hyperparameters, ("behaviors", name, "trainer_type")
            if not isinstance(hyper, A3CHyperparameters):
                continue
            if env.env_id == UNITY_ENV:
                raise contradiction(
                    trainer,
                    ("env_settings", "env_path"),
                    "is a3c, whose workers make their own environments: not supported for Unity scenes. "
                    "Take ppo or a2c.",
                )
            if env.num_envs is not None and hyper.workers > env.num_envs:
                raise contradiction(
                    ("behaviors", name, "hyperparameters", "workers"),
                    ("env_settings", "num_envs"),
                    f"does not fit: {hyper.workers} workers cannot share {env.num_envs} environments, since each needs "
                    "one of its own. Lower workers or raise env_settings.num_envs.",
                )
            if env.backend == "workers":
                raise contradiction(
                    ("env_settings", "backend"),
                    trainer,
                    "contradicts trainer a3c, whose own workers step their environments themselves. "
                    "Remove it, or take inprocess.",
                )
            if device not in (None, "cpu"):
                raise contradiction(
                    ("torch_settings", "device"),
                    trainer,
                    f"is {device}, but trainer a3c's workers share their parameters in the CPU's memory. "
                    "Take cpu, or trainer a2c.",
                )
        return self

    @model_validator(mode="after")
    def _rewards_are_collected_here(self) -> "RunConfig":
        for name, behavior in self.behaviors.items():
            if self.rewards is not None and behavior.trainer_type == "a3c":
                raise contradiction(
                    ("rewards",),
                    ("behaviors", name, "trainer_type"),
                    "contradicts: trainer a3c's workers know nothing of the block `rewards` yet. Take trainer a2c, "
                    "which learns the same way, or remove the block.",
                )
        return self

    @model_validator(mode="after")
    def _who_learns_explores(self) -> "RunConfig":
        for name, behavior in self.behaviors.items():
            if behavior.network_settings.deterministic and not self.checkpoint_settings.inference:
                deterministic = ("behaviors", name, "network_settings", "deterministic")
                raise contradiction(
                    deterministic,
                    deterministic,
                    "cannot be true while a policy learns: without exploring there is nothing to learn from. Remove "
                    "it; `amble evaluate`, and a run with inference, act so.",
                )
            if self.checkpoint_settings.inference and behavior.trainer_type == "a3c":
                raise contradiction(
                    ("checkpoint_settings", "inference"),
                    ("behaviors", name, "trainer_type"),
                    "does not fit: inference is for trainers that act in one process, and trainer a3c has workers. Use "
                    "`amble evaluate`.",
                )
        return self

    @model_validator(mode="after")
    def _lessons_follow_a_behavior(self) -> "RunConfig":
        for name, parameter in self.environment_parameters.items():
            for behavior, settings in self.behaviors.items():
                if constant(parameter) is None and settings.trainer_type == "a3c":
                    raise contradiction(
                        ("environment_parameters", name),
                        ("behaviors", behavior, "trainer_type"),
                        f"does not fit: environment parameter {name} changes during the run, and trainer a3c's workers "
                        "know nothing of that yet. Take trainer a2c, which learns the same way, or a plain number.",
                    )
            lessons = parameter.curriculum if isinstance(parameter, CurriculumSettings) else []
            for number, lesson in enumerate(lessons):
                criteria = lesson.completion_criteria
                if criteria is not None and self.behaviors and criteria.behavior not in self.behaviors:
                    where = ("curriculum", str(number), "completion_criteria", "behavior")
                    raise contradiction(
                        ("environment_parameters", name, *where),
                        ("environment_parameters", name, *where),
                        f"names {criteria.behavior!r}, and this run trains {', '.join(self.behaviors)}: the lesson "
                        f"would never end. {did_you_mean(criteria.behavior, self.behaviors)}",
                    )
        return self

    @model_validator(mode="after")
    def _several_share_a_scene(self) -> "RunConfig":
        if len(self.behaviors) < 2:
            return self
        names = ", ".join(self.behaviors)
        if self.env_settings.env_id != UNITY_ENV:
            raise contradiction(
                ("behaviors",),
                ("env_settings", "env_id"),
                f"names {len(self.behaviors)} behaviours ({names}), which share a Unity scene, and "
                f"env_settings.env_id names {self.env_settings.env_id}. Keep one behaviour, or remove env_id.",
            )
        if self.rewards is not None:
            raise contradiction(
                ("rewards",),
                ("behaviors",),
                f"is the reward of one behaviour, and `behaviors` names {len(self.behaviors)} ({names}). Remove the "
                "block: what the scene pays is learned from then.",
            )
        if self.checkpoint_settings.branch_from is not None:
            raise contradiction(
                ("checkpoint_settings", "branch_from"),
                ("behaviors",),
                f"names a checkpoint of one behaviour, and `behaviors` names {len(self.behaviors)} ({names}). Take "
                "initialize_from.",
            )
        if self.checkpoint_settings.inference:
            raise contradiction(
                ("checkpoint_settings", "inference"),
                ("behaviors",),
                f"acts by the policy of one behaviour, and `behaviors` names {len(self.behaviors)} ({names}). Remove "
                "it; `amble evaluate` plays all of them together.",
            )
        for name, parameter in self.environment_parameters.items():
            lessons = parameter.curriculum if isinstance(parameter, CurriculumSettings) else []
            for number, lesson in enumerate(lessons):
                if lesson.completion_criteria is not None and lesson.completion_criteria.require_reset:
                    where = ("curriculum", str(number), "completion_criteria", "require_reset")
                    raise contradiction(
                        ("environment_parameters", name, *where),
                        ("behaviors",),
                        "is true, which breaks off the episodes of one behaviour, and `behaviors` names "
                        f"{len(self.behaviors)} ({names}). Remove it: each episode takes the new value when it ends.",
                    )
        return self

    @property
    def constant_parameters(self) -> dict[str, float]:
        """Those environment parameters that stay what they are."""
        numbers = {name: constant(parameter) for name, parameter in self.environment_parameters.items()}
        return {name: number for name, number in numbers.items() if number is not None}

    @property
    def behavior(self) -> tuple[str, BehaviorSettings]:
        """The name and the settings of the one behaviour this run trains."""
        if len(self.behaviors) != 1:
            raise UsageError(one_behavior_only(list(self.behaviors)))
        return next(iter(self.behaviors.items()))

    @property
    def env_id(self) -> str:
        """The Gymnasium id of the environment this run trains in."""
        if self.env_settings.env_id is None:
            raise UsageError(one_behavior_only(list(self.behaviors)))
        return self.env_settings.env_id


def _with_environment(run: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The behaviour's name, or a build's path, decides the environment where the file leaves it open.

    Several behaviours are those of a Unity scene.
    """
    if not names:
        return run
    settings = run.get("env_settings", {})
    if not isinstance(settings, dict):
        return run
    block = cast("dict[str, Any]", settings)
    env_id, path = block.get("env_id"), block.get("env_path")
    if path is not None and env_id not in (None, UNITY_ENV):
        raise contradiction(
            ("env_settings", "env_path"),
            ("env_settings", "env_id"),
            f"names a Unity build, and env_settings.env_id another environment, {env_id}. Keep one of the two.",
        )
    if env_id is None:
        ours = BEHAVIOR_ENVIRONMENTS.get(names[0]) if path is None and len(names) == 1 else None
        env_id = ours or UNITY_ENV
    return {**run, "env_settings": {**block, "env_id": env_id}}


def one_behavior_only(names: list[str]) -> str:
    """Why a file with these behaviours is not that of a single one."""
    if not names:
        return "`behaviors` names no behaviour; a run file needs one, for example `Walker`."
    return (
        f"`behaviors` names {len(names)} behaviours ({', '.join(names)}), and here a single one is expected. "
        "Name the folder of one of them, below the run's."
    )
