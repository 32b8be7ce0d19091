"""The finished runs of a comparison: their returns, their variants' figures, and what to know before believing them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

import amble.envs
from amble.errors import AmbleError
from amble.insight import statistics, variants
from amble.insight.compare_progress import CompareProgress
from amble.insight.compare_runs import FINISHED
from amble.insight.curves import RunCurves
from amble.insight.statistics import Score
from amble.insight.variants import Run, Variant
from amble.training.evaluate import MOST_ENVS, play_episodes
from amble.training.files import read_json
from amble.training.policy import PortablePolicy

_EVALUATION_SEED = 1000
"""Added to a run's seed: the variants meet the same episodes, the seeds different ones."""


@dataclass
class Result:
    """One run and what came of it; returns in the environment's own reward."""

    run: Run
    curves: RunCurves
    summary: dict[str, Any]
    return_mean: float = math.nan
    return_std: float = math.nan
    area: float | None = None

    @property
    def env_steps(self) -> int:
        """Decisions that it took."""
        return int(self.curves.steps[-1])

    @property
    def wall_seconds(self) -> float:
        """Seconds of training."""
        return self.curves.last("wall_seconds") or math.nan

    def figures(self) -> dict[str, Any]:
        """The run's part of compare.json."""
        return {
            "seed": self.run.seed,
            "run": str(self.run.path),
            "return_mean": self.return_mean,
            "return_std": self.return_std,
            "area_under_curve": self.area,
            "env_steps": self.env_steps,
            "wall_seconds": self.wall_seconds,
            "steps_per_second": self.env_steps / self.wall_seconds,
            "exit_reason": self.summary.get("exit_reason"),
        }


def read(run: Run) -> Result:
    """What is on disk of a run; UsageError where it has no row of metrics."""
    summary = run.path / "summary.json"
    return Result(run, RunCurves(run.path), read_json(summary) if summary.is_file() else {})


def evaluated(
    results: Sequence[Result], first: Variant, episodes: int, failures: list[str], progress: CompareProgress
) -> list[Result]:
    """The results with their returns; a policy that cannot be read or played joins the failures."""
    good: list[Result] = []
    if not results:
        return good
    for name, group in _by_task(results, first).items():
        played = group[0].run.variant if name else first
        env = amble.envs.make(played.config.env_id, min(episodes, MOST_ENVS), **played.env_kwargs)
        try:
            for result in group:
                try:
                    policy = PortablePolicy.load(result.run.path / "policy")
                    returns = play_episodes(env, policy, episodes, _EVALUATION_SEED + result.run.seed).returns
                except AmbleError as error:
                    failures.append(f"{result.run.name}: its policy cannot be evaluated: {error}")
                    continue
                result.return_mean, result.return_std = float(returns.mean()), float(returns.std())
                good.append(result)
        finally:
            env.close()
    progress.message(f"Evaluated {len(good)} policies by {episodes} episodes each.")
    return good


def _by_task(results: Sequence[Result], first: Variant) -> dict[str, list[Result]]:
    """The results that are played in one environment: all in the first variant's, or each variant in its own."""
    if variants.same_task([first, *(result.run.variant for result in results)]):
        return {"": list(results)}
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.run.variant.name, []).append(result)
    return groups


def variant_figures(name: str, group: Sequence[Result], scores: Sequence[Score]) -> dict[str, Any]:
    """A variant's part of compare.json."""
    score = next((score for score in scores if score.name == name), None)
    areas = np.array([result.area for result in group if result.area is not None])
    seconds = [result.wall_seconds for result in group]
    return {
        "name": name,
        "seeds": [result.run.seed for result in group],
        "returns": [result.return_mean for result in group],
        "iqm": None if score is None else score.iqm,
        "interval": None if score is None else score.interval,
        "mean": float(np.mean(score.values)) if score else None,
        "area_under_curve": float(statistics.interquartile_mean(areas)) if len(areas) else None,
        "area_interval": statistics.iqm_interval(areas) if len(areas) else None,
        "wall_seconds": float(np.median(seconds)) if seconds else None,
        "steps_per_second": (
            float(np.median([result.env_steps / result.wall_seconds for result in group])) if group else None
        ),
        "env_steps": [result.env_steps for result in group],
        "runs": [result.figures() for result in group],
    }


def pairs(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """What is known of each two variants."""
    result = []
    for a, b in combinations(scores, 2):
        x, y = np.array(a.values), np.array(b.values)
        apart = (
            a.interval is not None
            and b.interval is not None
            and not statistics.overlap(a.interval, b.interval)
        )
        result.append(
            {
                "a": a.name,
                "b": b.name,
                "probability_a_better": float(statistics.probability_of_improvement(x, y)),
                "interval": statistics.improvement_interval(x, y),
                "intervals_overlap": None if a.interval is None or b.interval is None else not apart,
            }
        )
    return result


def notes_on(sides: Sequence[Variant], groups: dict[str, list[Result]]) -> list[str]:
    """What a reader must know before believing the table."""
    notes = []
    if variants.reshaped(sides):
        notes.append(
            "Rewards of terms: the returns of the table and the verdict are by the task's own reward, and not by the "
            "one that such a variant learned from."
        )
    if not variants.same_task(sides):
        notes.append(f"The tasks differ, and each policy is played in its own: {_tasks(sides)}.")
    elif not variants.same_reward(sides):
        notes.append(
            f"The rewards differ: every policy is evaluated with the reward of {sides[0].name}, while the curves and "
            "areas are in each one's own."
        )
    taken = {name: [result.env_steps for result in group] for name, group in groups.items() if group}
    limited = any(
        result.summary.get("exit_reason") == "time_limit" for group in groups.values() for result in group
    )
    medians = {name: float(np.median(steps)) for name, steps in taken.items()}
    if not limited and medians and max(medians.values()) > 1.1 * min(medians.values()):
        told = ", ".join(f"{name} {steps:,.0f}" for name, steps in medians.items())
        notes.append(f"The budgets differ, in env steps taken: {told}.")
    for group in groups.values():
        for result in group:
            reason = result.summary.get("exit_reason")
            if reason not in FINISHED:
                notes.append(f"{result.run.path} did not finish: it ended with {reason or 'no summary'}.")
    return notes


def _tasks(sides: Sequence[Variant]) -> str:
    """The settings in which the variants' environments differ."""
    told = []
    for key in dict.fromkeys(key for side in sides for key in side.env_kwargs):
        values = [side.env_kwargs.get(key, "as it comes") for side in sides]
        if any(value != values[0] for value in values):
            each = ", ".join(f"{side.name} {value}" for side, value in zip(sides, values, strict=True))
            told.append(f"{key}: {each}")
    return "; ".join(told)
