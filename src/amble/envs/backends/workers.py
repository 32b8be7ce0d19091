"""Environments in worker processes, several to each.

Gymnasium's `AsyncVectorEnv` gives every environment a process of its own; on few cores the switching costs
more than it wins (measured on two, HalfCheetah, thousand steps/s: 8.9 in one process, 4.9 with 8 such
workers, 3.8 with 64). Here there is one worker a core (17 with 64 environments). Numbers travel through
shared memory, and only a word and its answer through a pipe.

Axes: B environments; a worker holds a range of them.
"""

import gc
import multiprocessing
import os
import signal
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float, Shaped

from amble.envs.backends.seeds import environment_seeds
from amble.errors import AmbleError, EnvironmentFault, UsageError

_ORPHAN_CHECK_SECONDS = 5.0
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class _Board:
    """The arrays that parent and workers share, as raw memory with a shape and a type."""

    memory: dict[str, Any]
    layout: dict[str, tuple[tuple[int, ...], np.dtype]]

    @staticmethod
    def make(context: Any, layout: dict[str, tuple[tuple[int, ...], np.dtype]]) -> "_Board":
        sizes = {name: int(np.prod(shape)) * dtype.itemsize for name, (shape, dtype) in layout.items()}
        return _Board({name: context.RawArray("b", max(size, 1)) for name, size in sizes.items()}, layout)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            name: np.frombuffer(self.memory[name], dtype, count=int(np.prod(shape))).reshape(shape)
            for name, (shape, dtype) in self.layout.items()
        }


class WorkersVectorEnv(VectorEnv):
    """B environments in W processes behind the contract of `amble.envs.boundary`.

    Of what the environments put into `info`, only the final observations are handed on.
    """

    def __init__(self, spec: EnvSpec, num_envs: int, env_kwargs: dict[str, Any], workers: int):
        super().__init__()
        self.num_envs = num_envs
        with gymnasium.make(spec, **env_kwargs) as one:
            self.single_observation_space, self.single_action_space = one.observation_space, one.action_space
            self.metadata = {**one.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
            self.render_mode = one.render_mode
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        observation = _array_layout(spec, self.single_observation_space, num_envs)
        action = _action_layout(spec, self.single_action_space, num_envs)

        context = multiprocessing.get_context()
        flags = ((num_envs,), np.dtype(bool))
        board = _Board.make(
            context,
            {
                **action,
                "observation": observation,
                "final_obs": observation,
                "reward": ((num_envs,), np.dtype(np.float64)),
                "terminated": flags,
                "truncated": flags,
            },
        )
        self._arrays, self._actions = board.arrays(), list(action)
        self._workers: list[tuple[Any, Connection]] = []
        self._ranges: list[range] = []
        self._step = 0
        with _nothing_collected_in_a_fork():
            for chunk in np.array_split(np.arange(num_envs), min(workers, num_envs)):
                ids = range(int(chunk[0]), int(chunk[-1]) + 1)
                here, there = context.Pipe()
                process = context.Process(
                    target=_work, args=(there, board, spec, env_kwargs, ids), daemon=True
                )
                process.start()
                there.close()
                self._workers.append((process, here))
                self._ranges.append(ids)
        self._stop = weakref.finalize(self, _stop, self._workers)
        self._answers()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Shaped[np.ndarray, "B *O"], dict[str, Any]]:
        """Begin a new episode in every environment."""
        super().reset(seed=seed)
        seeds = environment_seeds(seed, self.num_envs)
        self._step = 0
        self._ask(lambda ids: ("reset", seeds[ids.start : ids.stop], options))
        return self._arrays["observation"].copy(), {}

    def step(
        self, actions: Shaped[np.ndarray, "B *A"] | tuple[np.ndarray, ...]
    ) -> tuple[
        Shaped[np.ndarray, "B *O"],
        Float[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        dict[str, Any],
    ]:
        """Step every environment, and begin a new episode where one has ended."""
        board = self._arrays
        for name, given in zip(
            self._actions, actions if _is_tuple(self._actions) else (actions,), strict=True
        ):
            if np.shape(given) != board[name].shape:
                raise AmbleError(
                    f"step takes actions of shape {board[name].shape} (environments first), "
                    f"got {np.shape(given)}."
                )
            board[name][...] = given
        self._step += 1
        self._ask(lambda ids: ("step",))
        terminated, truncated = board["terminated"].copy(), board["truncated"].copy()
        done = terminated | truncated
        info = {"final_obs": board["final_obs"].copy(), "_final_obs": done} if done.any() else {}
        return board["observation"].copy(), board["reward"].copy(), terminated, truncated, info

    def render(self) -> tuple[Any, ...]:
        """Collect a frame of every environment."""
        return tuple(frame for frames in self._ask(lambda ids: ("render",)) for frame in frames)

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers, and wait for them."""
        self._stop()

    def _ask(self, words: Callable[[range], tuple]) -> list[Any]:
        """Send every worker its words and wait for all answers."""
        if self.closed:
            raise AmbleError("The environments are closed; make them again to go on.")
        for index, ((_, pipe), ids) in enumerate(zip(self._workers, self._ranges, strict=True)):
            try:
                pipe.send(words(ids))
            except OSError:
                raise self._death(index) from None
        return self._answers()

    def _answers(self) -> list[Any]:
        answers, failures = [], []
        for index, (_, pipe) in enumerate(self._workers):
            try:
                kind, answer = pipe.recv()
            except (EOFError, OSError):
                raise self._death(index) from None
            (answers if kind == "done" else failures).append(answer)
        if failures:
            environment, text = failures[0]
            self.close()
            raise EnvironmentFault(
                environment,
                f"of {self.num_envs} failed at step {self._step} of this run "
                f"({len(failures)} workers report one). What it said:\n{text}",
            )
        return answers

    def _death(self, index: int) -> AmbleError:
        process, _ = self._workers[index]
        process.join(_CLOSE_SECONDS)
        ids = self._ranges[index]
        self.close()
        return AmbleError(
            f"The worker of environments {ids.start}–{ids.stop - 1} died at step {self._step} of this run "
            f"(exit code {process.exitcode}; −9 is mostly the kernel short of memory, −11 a crash in native "
            "code). Fewer environments need less memory; backend='inprocess' shows a crash where it happens."
        )


def _array_layout(spec: EnvSpec, space: gymnasium.Space, num_envs: int) -> tuple[tuple[int, ...], np.dtype]:
    kinds = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
    if not isinstance(space, kinds) or space.shape is None or space.dtype is None:
        raise UsageError(
            f"{spec.id}: worker processes carry plain arrays only, and the space is {space}. "
            "Use backend='inprocess'."
        )
    return (num_envs, *space.shape), np.dtype(space.dtype)


def _action_layout(
    spec: EnvSpec, space: gymnasium.Space, num_envs: int
) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """One array, or one for each part of a Tuple."""
    if not isinstance(space, spaces.Tuple):
        return {"action": _array_layout(spec, space, num_envs)}
    return {f"action.{i}": _array_layout(spec, part, num_envs) for i, part in enumerate(space.spaces)}


def _is_tuple(names: list[str]) -> bool:
    """Whether the actions of these arrays are those of a Tuple."""
    return names != ["action"]


def _stop(workers: list[tuple[Any, Connection]]) -> None:
    """End the workers: by a word, and by force if they do not listen."""
    for _, pipe in workers:
        try:
            pipe.send(("close",))
        except OSError:
            continue  # it is dead already
    for process, pipe in workers:
        process.join(_CLOSE_SECONDS)
        if process.is_alive():
            process.terminate()
            process.join(_CLOSE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        pipe.close()


class _Chunk:
    """The environments of one worker, with their rows of the shared arrays."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self.arrays = arrays
        self.actions = [name for name in arrays if name.startswith("action")]
        self.envs: list[gymnasium.Env] = []
        self.current = 0  # the environment at work, for the error message

    def make(self, spec: EnvSpec, env_kwargs: dict[str, Any]) -> None:
        for index in range(len(self.arrays["reward"])):
            self.current = index
            self.envs.append(gymnasium.make(spec, **env_kwargs))

    def reset(self, seeds: list[int | None], options: dict[str, Any] | None) -> None:
        for index, env in enumerate(self.envs):
            self.current = index
            self.arrays["observation"][index], _ = env.reset(seed=seeds[index], options=options)

    def step(self) -> None:
        arrays = self.arrays
        for index, env in enumerate(self.envs):
            self.current = index
            # [()] turns the 0-d array of a discrete action into the scalar that environments expect
            action = tuple(arrays[name][index].copy()[()] for name in self.actions)
            taken = action if _is_tuple(self.actions) else action[0]
            observation, reward, terminated, truncated, _ = env.step(taken)
            if terminated or truncated:
                arrays["final_obs"][index] = observation
                observation, _ = env.reset()
            arrays["observation"][index] = observation
            arrays["reward"][index] = reward
            arrays["terminated"][index], arrays["truncated"][index] = terminated, truncated

    def render(self) -> list[Any]:
        return [env.render() for env in self.envs]


@contextmanager
def _nothing_collected_in_a_fork() -> Iterator[None]:
    """Processes forked within leave alone what there is by now.

    Whatever ends threads of its own, as a MuJoCo batch does, would wait in a forked process for threads that did not
    come along, for ever.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _work(pipe: Connection, board: _Board, spec: EnvSpec, env_kwargs: dict[str, Any], ids: range) -> None:
    """Serve the environments `ids` until told to close or left by the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it will close us
    signal.signal(
        signal.SIGTERM, signal.SIG_DFL
    )  # a forked worker has the parent's handler, which saves runs
    parent = os.getppid()
    chunk = _Chunk({name: array[ids.start : ids.stop] for name, array in board.arrays().items()})
    calls = {"step": chunk.step, "reset": chunk.reset, "render": chunk.render}
    try:
        chunk.make(spec, env_kwargs)
        pipe.send(("done", None))
        while (words := _next_words(pipe, parent)) is not None:
            pipe.send(("done", calls[words[0]](*words[1:])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except Exception:
        pipe.send(("failed", (ids.start + chunk.current, traceback.format_exc())))
    finally:
        for env in chunk.envs:
            env.close()


def _next_words(pipe: Connection, parent: int) -> tuple | None:
    """Wait for the parent's next words; None when it says close, or has died without a word."""
    # A killed parent closes nothing: our siblings may hold copies of its end of the pipe.
    while not pipe.poll(_ORPHAN_CHECK_SECONDS):
        if os.getppid() != parent:
            return None
    words = pipe.recv()
    return None if words[0] == "close" else words
