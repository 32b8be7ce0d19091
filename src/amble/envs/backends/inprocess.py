"""One environment after the other, in this process."""

from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from amble.envs.backends.seeds import environment_seeds


class InProcessVectorEnv(SyncVectorEnv):
    """Gymnasium's `SyncVectorEnv` in SAME_STEP, with seeds that do not overlap between runs."""

    def __init__(self, spec: EnvSpec, num_envs: int, env_kwargs: dict[str, Any]):
        def one() -> gymnasium.Env:
            return gymnasium.make(spec, **env_kwargs)

        super().__init__([one] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode in every environment."""
        seeds = seed if isinstance(seed, list) else environment_seeds(seed, self.num_envs)
        return super().reset(seed=seeds, options=options)
