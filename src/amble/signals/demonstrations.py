"""From demonstration files to what a policy would have seen and done. Axes: n decisions, O observation.

Each sensor of the demonstration is a part of the policy's observation, in the same order, the action mask apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Shaped
from torch import Tensor

from amble.errors import UsageError
from amble.nets.action_features import ActionFeatures
from amble.nets.actor_critic import Policy
from amble.nets.distributions import BernoulliHead
from amble.nets.observations import Image, ObservationLayout, Part

if TYPE_CHECKING:
    from amble.unity.demonstrations import Demonstration
    from amble.unity.spec import ObservationSpec


@dataclass(frozen=True)
class Expert:
    """A demonstration's decisions, one episode after the other."""

    observation: Float[Tensor, "n O"]
    """As the environment shows it, not normalised."""
    numbers: Float[Tensor, "n A"]
    """The action as `ActionFeatures` has it, as are the choices."""
    choices: Int[Tensor, "n D"]
    action: Shaped[Tensor, "n ..."]
    """The same as the policy's head stores it."""
    done: Bool[Tensor, "n"]
    """Whether the episode ended with the decision."""
    begins: Bool[Tensor, "n"]
    """Whether the decision is an episode's first."""

    def __len__(self) -> int:
        return len(self.done)

    def to(self, device: torch.device) -> Expert:
        """The same on another device."""
        return Expert(**{name: value.to(device) for name, value in vars(self).items()})


def load_expert(key: str, path: str, policy: Policy) -> Expert:
    """The demonstration in a file or in the files of a folder, for this policy.

    Args:
        key: of the run file, for messages.
        path: a `.demo`, or a folder of them.
        policy: who learns from it.

    Raises:
        UsageError: there is none, or its agent observes or does something else than the policy.
        AmbleError: a file is no whole demonstration.
    """
    from amble.unity.demonstrations import read_all  # needs protobuf, which comes with amble[unity]

    if not Path(path).exists():
        raise UsageError(f"{key}: there is no file or folder {path} (seen from {Path.cwd()}).")
    experts = [_expert(f"{key}: {path}", one, policy) for one in read_all(Path(path))]
    joined = {name: torch.cat([getattr(expert, name) for expert in experts]) for name in vars(experts[0])}
    expert = Expert(**joined)
    if not len(expert):
        raise UsageError(f"{key}: {path} holds no decision, only ends of episodes.")
    return expert


def _expert(where: str, demonstration: Demonstration, policy: Policy) -> Expert:
    actions, layout = ActionFeatures(policy.actions), policy.layout
    _check(where, demonstration, layout, actions)
    acting, done = ~demonstration.done, demonstration.done
    rows = np.zeros((len(demonstration), layout.size), np.float32)
    specs = demonstration.spec.observations
    for part, spec, values in zip(_sensors(layout), specs, demonstration.observations, strict=True):
        rows[:, part.columns] = _columns(layout, part, spec, values)
    numbers, choices = actions.of_environment(demonstration.continuous, demonstration.discrete)
    if layout.mask is not None:
        rows[:, layout.mask] = _mask(demonstration, choices.numpy(), actions, policy)
    kept = torch.from_numpy(acting)
    return Expert(
        observation=torch.from_numpy(rows)[kept],
        numbers=numbers[kept],
        choices=choices[kept],
        action=actions.together(numbers, choices)[kept],
        done=torch.from_numpy(np.append(done[1:], [False]))[kept],
        begins=torch.from_numpy(np.append([True], done[:-1]))[kept],
    )


def _check(
    where: str, demonstration: Demonstration, layout: ObservationLayout, actions: ActionFeatures
) -> None:
    specs, spec = demonstration.spec.observations, demonstration.spec.actions
    parts = _sensors(layout)
    ours = [_shape(layout, part) for part in parts]
    theirs = [spec.shape for spec in specs]
    for i, (part, one) in enumerate(zip(parts, specs, strict=False)):
        if part.kind == "image" and len(one.shape) == 3:
            theirs[i] = one.height_width_channels
    if theirs != ours:
        raise UsageError(
            f"{where} does not fit this run's environment: the demonstration's agent observes {_said(theirs)}, the "
            f"policy {_said(ours)}. Take a demonstration of the same task."
        )
    if (spec.continuous, list(spec.branches)) != (actions.continuous, actions.branches):
        raise UsageError(
            f"{where} does not fit this run's environment: the demonstration's agent takes {spec}, the policy "
            f"{actions.continuous} continuous actions and branches {actions.branches}. Take a demonstration of the "
            "same task."
        )
    wrong = (demonstration.discrete < 0) | (demonstration.discrete >= np.array(spec.branches, np.int64))
    if wrong.any():
        record, branch = np.argwhere(wrong)[0].tolist()
        raise UsageError(
            f"{where}: record {record} takes choice {demonstration.discrete[record, branch]} of branch {branch}, "
            f"which has {spec.branches[branch]}. The demonstration is damaged."
        )


def _sensors(layout: ObservationLayout) -> list[Part]:
    return [part for part in layout.parts if part.kind != "mask"]


def _image(layout: ObservationLayout, part: Part) -> Image:
    return next(image for image in layout.images if image.columns == part.columns)


def _shape(layout: ObservationLayout, part: Part) -> tuple[int, ...]:
    """What Unity's sensor of this part shows; an image as (H, W, C)."""
    shape = tuple(part.space.shape or ())
    if part.kind == "image" and len(shape) == 3:
        channels, height, width = _image(layout, part).shape
        return height, width, channels
    if part.kind == "categories" or not shape:
        return (part.columns.stop - part.columns.start,)
    return shape


def _columns(
    layout: ObservationLayout, part: Part, spec: ObservationSpec, values: Float32[np.ndarray, "n ..."]
) -> Float32[np.ndarray, "n w"]:
    """A sensor's values in the order in which our rows hold them."""
    if len(spec.shape) == 3 and part.kind == "image":
        channels_last = _image(layout, part).channels_last
        if channels_last and spec.channels_first:
            values = values.transpose(0, 2, 3, 1)
        elif not channels_last and not spec.channels_first:
            values = values.transpose(0, 3, 1, 2)
    return values.reshape(len(values), math.prod(spec.shape))


def _mask(
    demonstration: Demonstration,
    choices: Int[np.ndarray, "n D"],
    actions: ActionFeatures,
    policy: Policy,
) -> Float32[np.ndarray, "n C"]:
    """Which choices were allowed. What was done counts as allowed: it would have no likelihood to learn by."""
    allowed = demonstration.allowed.copy()
    first = np.cumsum([0, *actions.branches[:-1]])
    np.put_along_axis(allowed, choices + first, values=True, axis=1)
    if isinstance(policy.head, BernoulliHead):  # ours says only whether yes is allowed
        allowed = allowed[:, 1::2]
    return allowed.astype(np.float32)


def _said(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) for shape in shapes) or "nothing"
