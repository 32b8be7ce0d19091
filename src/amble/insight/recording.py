"""Episodes of a finished policy as signals: played once with its mean action, kept as one small file in the run.

    signals.npz   every signal of every decision, one episode after the other, and what they are

Axes: E episodes, N decisions of all of them together, S substeps of a decision.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from amble.config import is_shipped
from amble.envs.rewarded import ArraySignals, RewardedVectorEnv, signal_source
from amble.errors import AmbleError, UsageError
from amble.rewards.signals import Signal, SignalSource
from amble.training.evaluate import env_of_policy
from amble.training.files import read_bytes, write_file
from amble.training.policy import PortablePolicy
from amble.training.policy_files import read_policy

FORMAT = 1
EPISODES = 16
_FILE_BYTES_MAX = 4 * 2**30
_WIDEST = 64
"""A signal of more components, such as the Walker's observation, is left out: it would be most of the file."""


@dataclass(frozen=True)
class Recording:
    """Whole episodes, decision by decision.

    Attributes:
        values: signal → (N,), (N, n) or, resolved by substep, (S, N).
        starts: (E + 1,) where each episode's decisions begin, and where the last one's end.
        terminated: (N,) where the task itself, or a rule of the run, ended the episode.
        signals: what they are.
        about: env_id, env_steps of the policy, seed, behavior, substeps, decision_seconds (null where unknown).
    """

    values: Mapping[str, np.ndarray]
    starts: np.ndarray
    terminated: np.ndarray
    signals: Mapping[str, Signal]
    about: Mapping[str, Any]

    @property
    def episodes(self) -> int:
        """E."""
        return len(self.starts) - 1

    @property
    def decisions(self) -> int:
        """N."""
        return int(self.starts[-1])

    def episode(self, index: int) -> slice:
        """Where episode `index` stands in the axis of N."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))


class RecordedSignals(SignalSource):
    """A recording as if all its decisions were taken at once: N environments of one decision each."""

    substep_seconds = None

    def __init__(self, recording: Recording):
        self.recording = recording
        self.num_envs, self.substeps = recording.decisions, int(recording.about["substeps"])

    @property
    def signals(self) -> Mapping[str, Signal]:
        """All that was recorded."""
        return self.recording.signals

    def watch(self, names: Iterable[str]) -> None:
        """Everything there is has been measured."""

    def read(self, name: str) -> np.ndarray:
        """(N,), (N, n) or (S, N)."""
        return self.recording.values[name]


def recorded(run: Path, episodes: int = EPISODES, seed: int = 0) -> Recording:
    """The recording of a run: as it stands in its directory where it fits, else made and written there.

    Args:
        run: the run's directory.
        episodes: E, one an environment.
        seed: of the episodes.

    Raises:
        AmbleError: there is no policy yet, or a file cannot be read or written.
    """
    path = Path(run) / "signals.npz"
    _, spec = read_policy(Path(run) / "policy")
    if path.is_file():
        kept = read_recording(path)
        wanted = {"env_steps": spec["env_steps"], "seed": seed, "episodes": episodes}
        if all(kept.about.get(key) == value for key, value in wanted.items()):
            return kept
    made = record(run, episodes, seed)
    if not is_shipped(run):
        write_recording(path, made)
    return made


def record(run: Path, episodes: int, seed: int) -> Recording:
    """Play `episodes` episodes with the run's policy, and keep every signal of every decision."""
    if episodes < 1:
        raise UsageError(f"at least one episode is recorded; got episodes = {episodes}.")
    policy = PortablePolicy.load(Path(run) / "policy")
    env = env_of_policy(policy, episodes)
    try:
        return _play(env, policy, seed)
    finally:
        env.close()


def _play(env: VectorEnv, policy: PortablePolicy, seed: int) -> Recording:
    inner = env.env if isinstance(env, RewardedVectorEnv) else env
    source = env.engine.source if isinstance(env, RewardedVectorEnv) else signal_source(env)
    signals = {name: signal for name, signal in source.signals.items() if len(signal.labels) <= _WIDEST}
    source.watch(signals)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in signals}

    def keep() -> None:
        for name, signal in signals.items():
            value = source.read(name)
            rows[name].append(np.array(value.T if signal.taken == "substeps" else value, _kept_as(value)))

    outside = isinstance(source, ArraySignals)
    if not outside:
        _before_the_reset(inner.unwrapped, keep)
    count = env.num_envs
    length, running = np.zeros(count, np.int64), np.ones(count, bool)
    ends: list[np.ndarray] = []
    observation, _ = env.reset(seed=seed)
    policy.forget()
    while running.any():
        actions = policy.act(observation)
        observation, reward, terminated, truncated, info = env.step(actions)
        if outside:
            if not isinstance(env, RewardedVectorEnv):
                source.take(actions, observation, np.asarray(reward, np.float64), terminated, truncated, info)
            keep()
        ends.append(np.asarray(terminated))
        length += running
        done = np.asarray(terminated | truncated)
        running &= ~done
        policy.forget(done)
    whole = {name: np.stack(steps) for name, steps in rows.items()}
    over = np.stack(ends)

    def in_order(steps: np.ndarray) -> np.ndarray:
        return np.concatenate([steps[: length[i], i] for i in range(count)])

    values = {name: in_order(steps) for name, steps in whole.items()}
    return Recording(
        {name: value.T if signals[name].taken == "substeps" else value for name, value in values.items()},
        np.concatenate([[0], np.cumsum(length)]),
        in_order(over),
        signals,
        {
            "format": FORMAT,
            "env_id": policy.spec["env_id"],
            "behavior": policy.spec["behavior"],
            "env_steps": policy.spec["env_steps"],
            "seed": seed,
            "episodes": count,
            "substeps": source.substeps,
            "decision_seconds": None
            if source.substep_seconds is None
            else source.substeps * source.substep_seconds,
        },
    )


def _before_the_reset(body: Any, keep: Any) -> None:
    """Let `keep` see the signals of each decision before ended episodes are reset; whatever judges goes on judging."""
    judge = body.referee

    def judged(reward: np.ndarray, terminated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keep()
        return (reward, terminated) if judge is None else judge(reward, terminated)

    body.referee = judged


def _kept_as(value: np.ndarray) -> type:
    return np.bool_ if value.dtype == bool else np.float32


def write_recording(path: Path, recording: Recording) -> None:
    """Write it whole or not at all."""
    about = {**recording.about, "signals": [asdict(signal) for signal in recording.signals.values()]}
    buffer = io.BytesIO()
    arrays = {f"signal.{name}": value for name, value in recording.values.items()}
    np.savez_compressed(
        buffer,
        about=np.array(json.dumps(about)),
        starts=recording.starts,
        terminated=recording.terminated,
        **arrays,  # pyright: ignore[reportArgumentType]
    )
    write_file(path, buffer.getvalue())


def read_recording(path: Path) -> Recording:
    """Read it; nothing in the file is run.

    Raises:
        AmbleError: it is damaged, or no recording.
    """
    try:
        with np.load(io.BytesIO(read_bytes(path, _FILE_BYTES_MAX)), allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            signals = {
                signal["name"]: Signal(**{**signal, "labels": tuple(signal["labels"])})
                for signal in about.pop("signals")
            }
            values = {name: stored[f"signal.{name}"] for name in signals}
            starts, terminated = stored["starts"], stored["terminated"]
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise AmbleError(
            f"{path}: is no recording, or is damaged ({error}). Delete it, and it is made anew."
        ) from error
    return Recording(values, starts, terminated, signals, about)
