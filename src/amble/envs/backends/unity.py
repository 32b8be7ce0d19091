"""The agents of Unity scenes as environments: builds that are started, or an editor that is waited for.

Every agent of a behaviour is one environment, whichever build it lives in. Unity's agents ask for decisions when they
like, and the boundary wants one decision of all of them at once, so a step answers each build until all of its agents
have asked:

- the usual case, all agents of a scene asking together, is exactly the boundary. A message with ends of episodes alone
  is answered with nothing, and waited through;
- an agent that asks again before the others have asked at all is given its last action again, and its rewards are
  added up (`repeated` counts these); one whose new episode begins in the meantime is given zeros (`skipped`).

An agent that never asks again after its episode's end leaves its place to one that was not there before. A build that
crashes is started again, as often as `restarts` allows; its agents' episodes are cut off where they were last seen.

The scenes themselves are `unity_scenes.py`, which knows several behaviours: for each there is a `UnityPart`, for the
only one `UnityVectorEnv`. Axes: B environments, P builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from amble.envs.backends.unity_agents import Outcome
from amble.envs.backends.unity_scenes import UnityScenes
from amble.envs.parameters import Value
from amble.envs.together import Part
from amble.errors import UsageError

METADATA: dict[str, Any] = {
    "autoreset_mode": AutoresetMode.SAME_STEP,
    "render_modes": [],
    "amble_backend": "unity",
}


class UnityVectorEnv(VectorEnv):
    """The agents of the one behaviour of Unity scenes.

    Attributes:
        scenes: themselves.
        engine: side channels of each build, as are the next two.
        parameters: …
        statistics: …
    """

    metadata = METADATA

    def __init__(
        self,
        num_envs: int = 1,
        *,
        behavior: str | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ):
        """Start the builds, or wait for the editor, and see what their agents are.

        Args:
            num_envs: P, how many builds. (The environment's own `num_envs` is B, its agents.)
            behavior: whose agents, without its team; None where the scene has only one.
            render_mode: None; a scene draws itself.
            settings: of `UnityScenes`.
        """
        super().__init__()
        if render_mode is not None:
            raise UsageError("A Unity scene draws itself; no pictures of it come over the wire.")
        self.scenes = UnityScenes(num_envs, behaviors=None if behavior is None else [behavior], **settings)
        self.engine, self.parameters = self.scenes.engine, self.scenes.parameters
        self.statistics = self.scenes.statistics
        (self.board,) = self.scenes.boards.values()
        self.num_envs = self.board.count
        self.single_observation_space, self.single_action_space = (
            self.board.observation_space,
            self.board.action_space,
        )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode of every agent; the scenes have their own random numbers."""
        super().reset(seed=seed)
        return self.scenes.reset()[self.board.behavior], {}

    def step(self, actions: Any) -> Outcome:
        """Step every agent, and begin a new episode where one has ended."""
        return self.scenes.step({self.board.behavior: actions})[self.board.behavior]

    @property
    def repeated(self) -> int:
        """Decisions answered with the agent's last action because others had not asked yet."""
        return self.board.repeated

    @property
    def skipped(self) -> int:
        """Decisions of new episodes answered with zeros for the same reason."""
        return self.board.skipped

    @property
    def restarts(self) -> int:
        """How many times a crashed build was started again."""
        return self.scenes.restarts

    @property
    def goals(self) -> list[str]:
        """The names of the observations that are goal signals."""
        return self.board.goals

    def set_parameters(self, parameters: Mapping[str, Value]) -> None:
        """Set environment parameters in every scene; they are sent with the next step or reset."""
        self.scenes.set_parameters(parameters)

    def take_statistics(self) -> tuple[dict[str, float], dict[str, list[float]]]:
        """What all scenes have reported since the last time, by name: see `aggregated`."""
        return self.scenes.take_statistics(self.board.behavior)

    def close_extras(self, **kwargs: Any) -> None:
        """End the sessions and the builds."""
        self.scenes.close()


class UnityPart(Part):
    """The agents of one of several behaviours of Unity scenes."""

    def __init__(self, scenes: UnityScenes, behavior: str):
        """They act when `perform` lets them."""
        self.scenes, self.board = scenes, scenes.boards[behavior]
        board = self.board
        super().__init__(behavior, board.count, board.observation_space, board.action_space, METADATA)

    @property
    def goals(self) -> list[str]:
        """The names of the observations that are goal signals."""
        return self.board.goals

    def set_parameters(self, parameters: Mapping[str, Value]) -> None:
        """Set environment parameters in every scene, and so for all behaviours."""
        self.scenes.set_parameters(parameters)

    def take_statistics(self) -> tuple[dict[str, float], dict[str, list[float]]]:
        """What all scenes have reported since the last time, by name: see `aggregated`."""
        return self.scenes.take_statistics(self.name)
