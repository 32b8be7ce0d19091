"""Several environments in one Unity scene, each with a behaviour of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amble.envs.scene import EnvironmentScene
from amble.errors import UsageError
from amble.unity.channels import Setting, StatisticsChannel
from amble.unity.spec import BehaviorSpec
from amble.unity.steps import Actions, Frame


class SharedScene:
    """Scenes as one: every agent of each decides at every step."""

    def __init__(self, scenes: Sequence[EnvironmentScene]):
        """UsageError where two have a behaviour of the same name."""
        self._scenes = {scene.behavior: scene for scene in scenes}
        if len(self._scenes) < len(scenes):
            names = ", ".join(scene.behavior for scene in scenes)
            raise UsageError(f"Each environment of a scene needs a behaviour of its own, got {names}.")
        self._statistics = StatisticsChannel()

    @property
    def behaviors(self) -> Mapping[str, BehaviorSpec]:
        """Of all."""
        return {name: scene.behaviors[name] for name, scene in self._scenes.items()}

    @property
    def statistics(self) -> StatisticsChannel:
        """One for all; no environment of ours reports any."""
        return self._statistics

    def seed(self, seed: int) -> None:
        """The first begins from `seed`, each further one from the next number."""
        for number, scene in enumerate(self._scenes.values()):
            scene.seed(seed + number)

    def engine(self, setting: Setting) -> None:
        """The first says what comes of it: the same for all."""
        next(iter(self._scenes.values())).engine(setting)

    def parameter(self, setting: Setting) -> None:
        """Hand the number on to those environments that have a setting of this name."""
        for scene in self._scenes.values():
            scene.parameter(setting)

    def reset(self) -> dict[str, Frame]:
        """Begin every episode."""
        return {name: scene.reset()[name] for name, scene in self._scenes.items()}

    def step(self, actions: Mapping[str, Actions]) -> dict[str, Frame]:
        """One decision of every environment."""
        return {name: scene.step({name: actions[name]})[name] for name, scene in self._scenes.items()}

    def close(self) -> None:
        """End the environments."""
        for scene in self._scenes.values():
            scene.close()
