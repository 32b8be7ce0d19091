"""Every constant of the Walker that a user may change, with Unity's value as its default."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amble.envs.bodies.walker.skeleton import SKELETONS, Skeleton
from amble.errors import UsageError

SOLVERS = ("pgs", "newton")
RANDOMISABLE = ("mass", "friction", "gravity")


@dataclass(frozen=True)
class WalkerSettings:
    """The Walker's physics and task; lengths in metres, times in seconds, masses in kilograms."""

    body: str = "release_19"
    """`release_19`, the six-metre body, or `release_21`, the human-sized one."""
    gravity: float = 14.715
    """Downward acceleration, m/s²: 1.5 times the Earth's."""
    timestep: float = 0.01333
    """Length of a substep."""
    substeps: int = 5
    """Substeps a decision."""
    max_substeps: int = 5000
    """Substeps after which an episode is truncated."""
    spring: float = 40_000.0
    """Drive stiffness, N·m/rad."""
    damper: float = 5_000.0
    """Drive damping, N·m·s/rad."""
    max_force: float = 20_000.0
    """Drive torque limit at strength 1, N·m."""
    friction: float = 0.6
    """Sliding friction of every contact."""
    drag: float = 0.05
    """Share of every linear and angular velocity lost in a second."""
    contact_offset: float = 0.01
    """Distance from the ground at which a part counts as touching it."""
    chest_mass: float | None = None
    spine_mass: float | None = None
    hip_mass: float | None = None
    """Torso masses; None is the release's own (8 each for release 19, the prefab's for release 21)."""
    target_speed_range: tuple[float, float] = (0.1, 10.0)
    """Range, m/s, that an episode's target speed is drawn from."""
    target_radius: float | None = None
    """How far targets are set from the start at most; None is the release's own (40 or 9)."""
    fall_reward: float = -1.0
    """What replaces a decision's reward when a part that may not touches the ground."""
    random_yaw: bool = True
    """Whether an episode starts facing a random way."""
    self_collision: bool = True
    """Whether parts that share no joint collide."""
    walls: bool = True
    """Whether the arena has its four walls."""
    solver: str = "pgs"
    """Of contacts. `pgs`, PhysX's kind, a quarter quicker, may stop short of the solution where a foot begins to slip;
    `newton`, MuJoCo's own, does not."""
    solver_iterations: int = 30
    """Upper limit of the contact solver's sweeps a substep."""
    randomize: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Factors (low, high) on `mass`, `friction`, `gravity`, drawn anew for each simulation at each episode start."""

    def __post_init__(self) -> None:
        """Refuse what the physics cannot run on."""
        if self.body not in SKELETONS:
            raise UsageError(
                f"Walker: body must be one of {', '.join(SKELETONS)}; got {self.body!r}"
                f"{_nearest(self.body, SKELETONS)}."
            )
        if self.solver not in SOLVERS:
            raise UsageError(
                f"Walker: solver must be one of {', '.join(SOLVERS)}; got {self.solver!r}"
                f"{_nearest(str(self.solver), SOLVERS)}."
            )
        for name in (
            "timestep",
            "spring",
            "damper",
            "max_force",
            "substeps",
            "max_substeps",
            "solver_iterations",
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise UsageError(f"Walker: {name} must be a positive number; got {value!r}.")
        low, high = self.target_speed_range
        if not 0 < low <= high < math.inf:
            raise UsageError(
                f"Walker: target_speed_range must be (low, high) with 0 < low ≤ high, in m/s; got {(low, high)}."
            )
        for name, factors in self.randomize.items():
            if name not in RANDOMISABLE:
                raise UsageError(
                    f"Walker: randomize knows {', '.join(RANDOMISABLE)}; got {name!r}{_nearest(name, RANDOMISABLE)}."
                )
            if not (len(factors) == 2 and 0 < factors[0] <= factors[1] < math.inf):
                raise UsageError(
                    f"Walker: randomize[{name!r}] must be factors (low, high) with 0 < low ≤ high; got {factors!r}."
                )

    @classmethod
    def from_kwargs(cls, settings: Mapping[str, Any]) -> WalkerSettings:
        """Make the settings from an environment's keyword arguments, refusing unknown names and wrong types."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        for name, value in settings.items():
            if name not in known:
                raise UsageError(f"Walker: there is no setting {name!r}{_nearest(name, known)}.")
            default = known[name].default
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if isinstance(default, float | int) and not isinstance(default, bool) and not is_number:
                raise UsageError(f"Walker: {name} must be a number; got {value!r}.")
        speeds = settings.get("target_speed_range", cls.target_speed_range)
        if not (isinstance(speeds, list | tuple) and len(speeds) == 2):
            raise UsageError(f"Walker: target_speed_range must be (low, high), in m/s; got {speeds!r}.")
        return cls(**{**settings, "target_speed_range": tuple(speeds)})

    @property
    def skeleton(self) -> Skeleton:
        """The body's table."""
        return SKELETONS[self.body]

    @property
    def torso_masses(self) -> dict[str, float]:
        """Masses, by part, that replace the skeleton's."""
        own = self.skeleton.torso_mass
        chosen = {"chest": self.chest_mass, "spine": self.spine_mass, "hips": self.hip_mass}
        masses = {part: own if mass is None else mass for part, mass in chosen.items()}
        return {part: mass for part, mass in masses.items() if mass is not None}

    @property
    def decision_seconds(self) -> float:
        """Simulated time between two decisions."""
        return self.timestep * self.substeps


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
