"""`make`: any Gymnasium id as B environments behind the contract of `amble.envs.boundary`."""

import difflib
import importlib
import logging
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv

from amble.envs.backends import envpool
from amble.envs.backends.array import NoArrayForm, make_array
from amble.envs.backends.cores import usable_cores
from amble.envs.backends.inprocess import InProcessVectorEnv
from amble.envs.backends.workers import WorkersVectorEnv
from amble.envs.boundary import check_boundary
from amble.envs.registration import UNITY
from amble.errors import UsageError

log = logging.getLogger(__name__)

BACKENDS = ("auto", "array", "envpool", "inprocess", "workers")

# A step of all environments this quick is over before a worker process has heard of it.
_CHEAP_SECONDS = 100e-6
_TRIAL_SECONDS = 0.4


def make(
    env_id: str, num_envs: int, *, backend: str = "auto", threads: int | None = None, **env_kwargs: Any
) -> VectorEnv:
    """Make `num_envs` environments of a Gymnasium id (`my_module:MyEnv-v0` imports `my_module` first).

    | backend | |
    |---|---|
    | array | all B in array arithmetic: our bodies, Gymnasium's MuJoCo tasks (v5), CartPole, phys2d, other ids
    | | with a vector entry point |
    | envpool | EnvPool's C++ threads, where it is installed and has the id |
    | inprocess | one after the other |
    | workers | in one process a core |
    | auto | array or envpool if there is one, else the quicker of the others, measured for a second |

    `threads` is how many cores the environments may use, None every one: it goes to those that take it (our own bodies)
    and to EnvPool, and with 1, auto starts no workers. What was chosen stands in `metadata["amble_backend"]`, and what
    was measured for it, in steps/s, in `metadata["amble_speeds"]`.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend {backend!r} is unknown; it is one of {', '.join(BACKENDS)}.")
    if num_envs < 1:
        raise UsageError(f"{env_id}: num_envs must be at least 1, got {num_envs}.")
    if threads is not None and threads < 0:
        raise UsageError(f"{env_id}: threads must be 0 (every core) or more, got {threads}.")
    spec = find_spec(env_id)
    try:
        env, chosen, speeds = _make(spec, num_envs, backend, threads, env_kwargs)
    except (ModuleNotFoundError, gymnasium.error.DependencyNotInstalled) as missing:
        raise UsageError(f"{spec.id} needs a package that is not installed: {missing}.") from missing
    except TypeError as refused:
        # Python's complaint about a call's arguments; anything else is a bug, to be seen whole
        if not any(words in str(refused) for words in ("keyword argument", "required positional argument")):
            raise
        raise UsageError(f"{spec.id} does not take the settings {env_kwargs}: {refused}.") from refused
    check_boundary(env)
    env.metadata = {**env.metadata, "amble_backend": chosen, "amble_speeds": speeds}
    log.info("%s: %d environments, backend %s, measured %s", spec.id, num_envs, chosen, speeds or "nothing")
    return env


def _make(
    spec: EnvSpec, num_envs: int, backend: str, threads: int | None, env_kwargs: dict[str, Any]
) -> tuple[VectorEnv, str, dict[str, float]]:
    cores = threads or usable_cores()
    if spec.id == UNITY:
        from amble.envs.backends.unity import UnityVectorEnv

        return UnityVectorEnv(num_envs, **env_kwargs), "unity", {}
    if backend in ("auto", "array"):
        try:
            return make_array(spec, num_envs, env_kwargs, threads), "array", {}
        except NoArrayForm as reason:
            if backend == "array":
                raise UsageError(f"{reason} Use backend 'auto', 'inprocess' or 'workers'.") from reason
            log.debug("%s", reason)
    # Settings are spelt differently in EnvPool, so auto leaves an environment with settings to Gymnasium.
    if backend == "envpool" or (backend == "auto" and not env_kwargs and envpool.knows(spec.id)):
        if not envpool.knows(spec.id):
            raise UsageError(
                f"EnvPool is not installed or has no {spec.id}. `pip install 'amble[envpool]'`, "
                "or use backend 'auto', 'inprocess' or 'workers'."
            )
        return envpool.EnvPoolVectorEnv(spec.id, num_envs, threads or cores, env_kwargs), "envpool", {}
    if backend == "auto":
        backend, speeds = _quicker(spec, num_envs, cores, env_kwargs)
    else:
        speeds = {}
    if backend == "workers":
        return WorkersVectorEnv(spec, num_envs, env_kwargs, cores), backend, speeds
    return InProcessVectorEnv(spec, num_envs, env_kwargs), backend, speeds


def _quicker(
    spec: EnvSpec, num_envs: int, cores: int, env_kwargs: dict[str, Any]
) -> tuple[str, dict[str, float]]:
    """Choose between this process and worker processes; both run the same episodes from the same seeds."""
    if num_envs == 1 or cores == 1:
        return "inprocess", {}
    here = InProcessVectorEnv(spec, num_envs, env_kwargs)
    speeds = {"inprocess": _steps_per_second(here, _TRIAL_SECONDS)}
    if num_envs / speeds["inprocess"] < _CHEAP_SECONDS:
        return "inprocess", speeds
    try:
        workers = WorkersVectorEnv(spec, num_envs, env_kwargs, cores)
    except UsageError:  # not an environment of plain arrays
        return "inprocess", speeds
    speeds["workers"] = _steps_per_second(workers, _TRIAL_SECONDS)
    return max(("inprocess", "workers"), key=lambda name: speeds[name]), speeds


def _steps_per_second(env: VectorEnv, seconds: float) -> float:
    """Step an environment with random actions for a while, then close it."""
    env.reset(seed=0)
    env.action_space.seed(0)
    env.step(env.action_space.sample())
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        env.step(env.action_space.sample())
        steps += env.num_envs
    elapsed = time.perf_counter() - start
    env.close()
    return round(steps / elapsed, 1)


def find_spec(env_id: str) -> EnvSpec:
    """Look an id up in Gymnasium's registry, importing what stands before a colon first."""
    module, _, name = env_id.rpartition(":")
    if module:
        _import(module, env_id)
    try:
        return gymnasium.spec(name)
    except gymnasium.error.Error as unknown:
        near = _nearest(name)
        raise UsageError(
            f"There is no environment {name!r}. "
            + (f"Nearest: {', '.join(near)}. " if near else "")
            + "One of your own is named `module:Id-v0`, so that its module is imported and registers it."
        ) from unknown


def _import(module: str, env_id: str) -> None:
    # An installed command, unlike `python script.py`, does not look for modules beside the user's files.
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"{env_id}: cannot import {module!r} ({missing}). Run in the directory it lies in, or install it."
        ) from missing


def _nearest(name: str) -> list[str]:
    """Find registered ids like this one: by the whole id, then by the name without its version."""
    known = list(gymnasium.registry)
    folded = {known_id.lower(): known_id for known_id in known}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)
    near += [key for key in folded if key.rpartition("/")[2].startswith(name.lower()) and key not in near]
    return [folded[key] for key in near][:3]
