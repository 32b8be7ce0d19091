"""One of our batched bodies as an ordinary `gymnasium.Env`."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from jaxtyping import Float

from amble.envs.bodies.base import BodyVectorEnv


class SingleBodyEnv(gymnasium.Env):
    """A batch of one: name its class in `vector_class`; that class's settings are the keyword arguments.

    Autoreset is off underneath, so that the observation after the last step of an episode, and the picture,
    are the last ones; going on without `reset` is an error.
    """

    vector_class: ClassVar[type[BodyVectorEnv]]
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init_subclass__(cls) -> None:
        """Take the frame rate and the like from the batched class."""
        cls.metadata = {k: v for k, v in cls.vector_class.metadata.items() if k != "autoreset_mode"}

    def __init__(self, *, render_mode: str | None = None, **settings: Any):
        self.vector = self.vector_class(
            1, render_mode=render_mode, threads=1, autoreset_mode=AutoresetMode.DISABLED, **settings
        )
        self.render_mode = render_mode
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float[np.ndarray, "O"], dict[str, Any]]:
        """Begin an episode; the same seed begins the same one."""
        super().reset(seed=seed)
        self.vector.np_random = self.np_random
        observation, info = self.vector.reset(options=options)
        self._running = True
        return observation[0], info

    def step(
        self, action: Float[np.ndarray, "A"]
    ) -> tuple[Float[np.ndarray, "O"], float, bool, bool, dict[str, Any]]:
        """Carry out one decision."""
        if not self._running:
            raise ResetNeeded(
                f"{type(self).__name__}: the episode is over or none was begun; call reset first."
            )
        observation, reward, terminated, truncated, info = self.vector.step(np.asarray(action)[None])
        self._running = not (terminated[0] or truncated[0])
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), info

    def render(self) -> np.ndarray | None:
        """Draw the body as an (H, W, 3) frame; nothing without a render mode."""
        return None if self.render_mode is None else self.vector.render_one(0)

    def close(self) -> None:
        """Free what drawing needed."""
        self.vector.close()
