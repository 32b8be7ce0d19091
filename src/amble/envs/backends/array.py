"""Environments that step all B at once in array arithmetic: Gymnasium's vector entry points.

Gymnasium 1.4's own (CartPole, phys2d) autoreset in NEXT_STEP mode: the step after an episode's end is spent
on the reset, its action ignored and its reward 0. Here the ended environments are restarted at once instead,
by writing to the environment's state as its own reset does. That also steps round two faults of its JAX
environments, whose autoreset undoes the step of every other environment and pays the old state's reward.

Gymnasium's MuJoCo tasks are named by their class: whatever id is registered with it, ours (`bodies/gym`) takes
its place.

Any other array environment that is neither in SAME_STEP mode nor known here cannot be turned: there is no call that
resets only some of its environments.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from jaxtyping import Bool, Float, Shaped

from amble.errors import UsageError

Restart = Callable[[Any, np.ndarray], np.ndarray]  # (environment, done (B,)) → observations (n, O)


def restart_cartpole(env: Any, done: Bool[np.ndarray, "B"]) -> Float[np.ndarray, "n O"]:
    """Begin new episodes in Gymnasium's `CartPoleVectorEnv`, as its `reset` does."""
    count = int(done.sum())
    env.state[:, done] = env.np_random.uniform(low=env.low, high=env.high, size=(4, count))
    env.steps[done] = 0
    env.prev_done[done] = False
    return env.state.T[done].astype(np.float32)


def restart_jax(env: Any, done: Bool[np.ndarray, "B"]) -> Shaped[np.ndarray, "n *O"]:
    """Begin new episodes in one of Gymnasium's `FunctionalJaxVectorEnv`."""
    split = importlib.import_module("jax.random").split
    ids = np.flatnonzero(done)
    rng, env.rng = split(env.rng)
    rngs = split(rng, len(ids))
    fresh = env.func_env.initial(rngs)
    env.state = env.state.at[ids].set(fresh)
    env.steps = env.steps.at[ids].set(0)
    env.prev_done = env.prev_done.at[ids].set(False)
    return np.asarray(env.func_env.observation(fresh, rngs))


_RESTARTS: dict[str, Restart] = {
    "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv": restart_cartpole,
    "gymnasium.envs.functional_jax_env:FunctionalJaxVectorEnv": restart_jax,
}


_GYMNASIUM, _OURS = "gymnasium.envs.mujoco", "amble.envs.bodies.gym"
_BODIES: dict[str, str] = {
    f"{_GYMNASIUM}.{theirs}": f"{_OURS}.{ours}"
    for theirs, ours in {
        "half_cheetah_v5:HalfCheetahEnv": "planar:HalfCheetahVectorEnv",
        "hopper_v5:HopperEnv": "planar:HopperVectorEnv",
        "walker2d_v5:Walker2dEnv": "planar:Walker2dVectorEnv",
        "swimmer_v5:SwimmerEnv": "planar:SwimmerVectorEnv",
        "ant_v5:AntEnv": "ant:AntVectorEnv",
        "humanoid_v5:HumanoidEnv": "humanoid:HumanoidVectorEnv",
        "humanoidstandup_v5:HumanoidStandupEnv": "humanoid:HumanoidStandupVectorEnv",
        "reacher_v5:ReacherEnv": "arms:ReacherVectorEnv",
        "pusher_v5:PusherEnv": "arms:PusherVectorEnv",
        "inverted_pendulum_v5:InvertedPendulumEnv": "pendulums:InvertedPendulumVectorEnv",
        "inverted_double_pendulum_v5:InvertedDoublePendulumEnv": "pendulums:InvertedDoublePendulumVectorEnv",
    }.items()
}  # the entry point of Gymnasium's class → that of ours, imported when it is made


class SameStep(VectorWrapper):
    """A NEXT_STEP array environment with its ended episodes restarted within the step."""

    def __init__(self, env: VectorEnv, restart: Restart):
        super().__init__(env)
        self._restart = restart
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Shaped[np.ndarray, "B *O"], dict[str, Any]]:
        """Begin a new episode in every environment."""
        observation, info = self.env.reset(seed=seed, options=options)
        return np.asarray(observation), info

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
        # np.asarray: the JAX environments hand out arrays of their own that cannot be written to
        observation, reward, terminated, truncated, info = self.env.step(actions)
        observation, reward = np.asarray(observation), np.asarray(reward)
        terminated, truncated = np.asarray(terminated), np.asarray(truncated)
        done = terminated | truncated
        if done.any():
            info = {**info, "final_obs": observation, "_final_obs": done}
            observation = observation.copy()
            observation[done] = self._restart(self.env.unwrapped, done)
        return observation, reward, terminated, truncated, info


class NoArrayForm(UsageError):
    """These environments cannot be stepped all at once: the environment has no such form, or not so set up."""


def make_array(
    spec: EnvSpec, num_envs: int, env_kwargs: dict[str, Any], threads: int | None = None
) -> VectorEnv:
    """Make the environment's array form behind the contract; NoArrayForm where it has none that can obey it."""
    if spec.additional_wrappers:
        raise NoArrayForm(f"{spec.id} has no array form: it is registered with wrappers of its own.")
    if isinstance(spec.entry_point, str) and spec.entry_point in _BODIES:
        return _make_body(spec, num_envs, env_kwargs, threads)
    entry = spec.vector_entry_point
    if entry is None:
        raise NoArrayForm(f"{spec.id} has no array form: no vector entry point is registered.")
    creator = entry if callable(entry) else load_env_creator(entry)
    if threads is not None and "threads" in inspect.signature(creator).parameters:
        env_kwargs = {**env_kwargs, "threads": threads}
    # Gymnasium passes the registered time limit on as `max_episode_steps`.
    env = gymnasium.make_vec(
        spec, num_envs=num_envs, vectorization_mode=gymnasium.VectorizeMode.VECTOR_ENTRY_POINT, **env_kwargs
    )
    if env.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        return env
    for base in type(env.unwrapped).__mro__:
        if restart := _RESTARTS.get(f"{base.__module__}:{base.__qualname__}"):
            return SameStep(env, restart)
    env.close()
    raise NoArrayForm(
        f"{spec.id} has no array form in SAME_STEP autoreset mode (vector entry point: {entry})."
    )


def _make_body(spec: EnvSpec, num_envs: int, env_kwargs: dict[str, Any], threads: int | None) -> VectorEnv:
    """Make our batched form of one of Gymnasium's MuJoCo tasks, with the settings of `gymnasium.make`."""
    creator: Any = load_env_creator(_BODIES[str(spec.entry_point)])
    settings = {**spec.kwargs, **env_kwargs}
    # As in `gymnasium.make`: None is the registered limit, −1 none.
    limit = settings.pop("max_episode_steps", None)
    limit = spec.max_episode_steps if limit is None else max(limit, 0)
    if unknown := sorted(settings.keys() - creator.settings()):
        raise NoArrayForm(f"{spec.id}: its array form does not take {', '.join(unknown)}.")
    if settings.get("render_mode") not in (None, *creator.metadata["render_modes"]):
        raise NoArrayForm(
            f"{spec.id}: its array form draws in render_mode {creator.metadata['render_modes']}, "
            f"not {settings['render_mode']!r}."
        )
    return creator(num_envs, max_episode_steps=limit or 0, **{"threads": threads or 0, **settings})
