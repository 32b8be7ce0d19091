"""What an environment must be able to do to be served to a trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from amble.unity.channels import Setting, StatisticsChannel
from amble.unity.spec import BehaviorSpec
from amble.unity.steps import Actions, Frame


@runtime_checkable
class Scene(Protocol):
    """Agents of some behaviours. What a frame holds belongs to the scene until the next one is asked for."""

    @property
    def behaviors(self) -> Mapping[str, BehaviorSpec]:
        """By name, `Walker?team=0`."""
        ...

    @property
    def statistics(self) -> StatisticsChannel:
        """Figures for the trainer."""
        ...

    def seed(self, seed: int) -> None:
        """All that is random is to follow from this."""
        ...

    def engine(self, setting: Setting) -> None:
        """The trainer wants the engine so."""
        ...

    def parameter(self, setting: Setting) -> None:
        """The trainer wants this environment parameter so."""
        ...

    def reset(self) -> dict[str, Frame]:
        """Begin every agent's episode."""
        ...

    def step(self, actions: Mapping[str, Actions]) -> dict[str, Frame]:
        """Go on, with the actions of the agents that asked."""
        ...
