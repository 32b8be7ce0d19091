"""One environment after the other, in this process."""

from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from amble.envs.backends.seeds import environment_seeds
from amble.errors import EnvironmentFault


class InProcessVectorEnv(SyncVectorEnv):
    """Gymnasium's `SyncVectorEnv` in SAME_STEP, with seeds that do not overlap between runs."""

    def __init__(self, spec: EnvSpec, num_envs: int, env_kwargs: dict[str, Any]):
        def one(index: int) -> Callable[[], gymnasium.Env]:
            return lambda: _Named(gymnasium.make(spec, **env_kwargs), index)

        super().__init__([one(index) for index in range(num_envs)], autoreset_mode=AutoresetMode.SAME_STEP)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode in every environment."""
        seeds = seed if isinstance(seed, list) else environment_seeds(seed, self.num_envs)
        return super().reset(seed=seeds, options=options)


class _Named(gymnasium.Wrapper):
    """Says which environment it was when one raises."""

    def __init__(self, env: gymnasium.Env, index: int):
        super().__init__(env)
        self._index = index

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        try:
            return self.env.step(action)
        except Exception as failure:
            raise self._fault(failure) from failure

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        try:
            return self.env.reset(seed=seed, options=options)
        except Exception as failure:
            raise self._fault(failure) from failure

    def _fault(self, failure: Exception) -> EnvironmentFault:
        said = f": {failure}" if str(failure) else ""
        return EnvironmentFault(self._index, f"raised {type(failure).__name__}{said}")
