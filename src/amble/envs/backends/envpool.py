"""The environments of EnvPool (an extra: `pip install amble[envpool]`), stepped by its C++ threads.

EnvPool autoresets in NEXT_STEP mode. Its `reset(env_id)` resets only the environments named, which is how
the ended ones are restarted here, within the step. Its seeds are fixed when it is made, so `reset(seed=…)`
makes it anew.
"""

import importlib
import importlib.util
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float, Shaped

from amble.errors import AmbleError


def knows(env_id: str) -> bool:
    """Say whether EnvPool is installed and has this environment."""
    if importlib.util.find_spec("envpool") is None:
        return False
    return env_id in importlib.import_module("envpool").list_all_envs()


class EnvPoolVectorEnv(VectorEnv):
    """B environments of EnvPool behind the contract of `amble.envs.boundary`."""

    def __init__(self, env_id: str, num_envs: int, threads: int, env_kwargs: dict[str, Any]):
        super().__init__()
        self._make = lambda seed: importlib.import_module("envpool").make(
            env_id, env_type="gymnasium", num_envs=num_envs, num_threads=threads, seed=seed, **env_kwargs
        )
        self._pool = self._make(self._draw_seed())
        self.num_envs = num_envs
        self.single_action_space = self._pool.action_space
        self.single_observation_space = self._pool.observation_space
        if not isinstance(self.single_observation_space, spaces.Box):
            raise AmbleError(
                f"EnvPool's {env_id} has the observation space {self.single_observation_space}; this adapter "
                "takes arrays only. Use backend='inprocess' or 'workers'."
            )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def _draw_seed(self) -> int:
        return int(self.np_random.integers(2**31))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Shaped[np.ndarray, "B *O"], dict[str, Any]]:
        """Begin a new episode in every environment; with a seed, in a pool made for it."""
        super().reset(seed=seed)
        if seed is not None:
            self._pool.close()
            self._pool = self._make(self._draw_seed())
        observation, _ = self._pool.reset()
        return np.array(observation), {}

    def step(
        self, actions: Shaped[np.ndarray, "B *A"]
    ) -> tuple[
        Shaped[np.ndarray, "B *O"],
        Float[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        dict[str, Any],
    ]:
        """Step every environment, and begin a new episode where one has ended."""
        observation, reward, terminated, truncated, _ = self._pool.step(np.asarray(actions))
        done = terminated | truncated
        info: dict[str, Any] = {}
        observation = np.array(observation)
        if done.any():
            info = {"final_obs": observation.copy(), "_final_obs": done}
            observation[done] = self._pool.reset(np.flatnonzero(done).astype(np.int32))[0]
        return observation, np.array(reward), np.array(terminated), np.array(truncated), info

    def close_extras(self, **kwargs: Any) -> None:
        """Stop EnvPool's threads."""
        self._pool.close()
