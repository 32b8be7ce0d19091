"""Seeds × variants at equal budget: train what is missing, evaluate every last policy, and say what can be said.

The score of a seed is the mean return of its last policy over the evaluation episodes (mean action, normaliser frozen),
not the best checkpoint's and not the training return. A winner is named only where intervals over seeds do not overlap.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import TextIOBase
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

import amble.envs
from amble.config import Override
from amble.envs.backends.cores import usable_cores
from amble.envs.making import find_spec
from amble.errors import AmbleError, UsageError
from amble.insight import statistics, variants
from amble.insight.compare_page import as_figures, film_of, looked_at, page_of, worth_recording
from amble.insight.compare_picture import draw_comparison
from amble.insight.compare_progress import CompareProgress
from amble.insight.compare_runs import FINISHED, default_folder, is_complete, settings_text, write_settings
from amble.insight.curves import RunCurves, area_under_curve, shared_span
from amble.insight.jobs import Job, run_jobs
from amble.insight.statistics import Score, Verdict
from amble.insight.variants import Run, Variant
from amble.training.evaluate import MOST_ENVS, play_episodes
from amble.training.files import named_os_errors, read_json, write_file
from amble.training.interrupt import StopRequest
from amble.training.policy import PortablePolicy
from amble.training.progress import duration

SEEDS, EPISODES = 5, 100
Film = Literal["page", "none", "only"]
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


@dataclass
class Comparison:
    """What `amble compare` has to say.

    Attributes:
        figures: the content of compare.json.
        table: the same for reading, with the verdict as its last line but for the files written.
        failures: a sentence for each run that failed.
        exit_code: 0, 1 where a run failed, 128 + the signal that ended the comparison early.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    table: str = ""
    failures: list[str] = field(default_factory=list)
    exit_code: int = 0


def compare(
    sources: Sequence[str] = (),
    *,
    env: str | None = None,
    trainers: Sequence[str] = (),
    vary: Sequence[str] = (),
    settings: Sequence[str] = (),
    seeds: int | None = None,
    max_steps: float | int | None = None,
    time: float | int | None = None,
    jobs: int | None = None,
    episodes: int = EPISODES,
    out: Path | None = None,
    initialize_from: str | None = None,
    terms: Path | None = None,
    film: Film = "page",
    stream: TextIO | TextIOBase | None = None,
) -> Comparison:
    """Compare the variants that these words name (see `plan_variants`), or runs that are there (`group_runs`).

    Args:
        seeds: runs a variant, with the seeds 0 … seeds−1; 5 if None.
        max_steps: of every run, in env steps.
        time: wall seconds of every run.
        jobs: runs at the same time; as many as there are cores if None.
        episodes: that each last policy is evaluated by.
        out: where runs, compare.json, compare.png and comparison.html go; what is complete there is not trained again.
        initialize_from: a run's id below results/, or a preset whose policy comes along, that all variants start from.
        terms: the file of the user's own reward terms, for the runs that are trained; it is loaded here already.
        film: `page`: bodies side by side, in the page; `none`; `only`: comparison.mp4 and nothing else.
        stream: of the progress; stderr if None.

    Raises:
        UsageError: nothing was trained.
    """
    statistics.require_arch()
    if episodes < 1:
        raise UsageError(f"--episodes must be at least 1, but is {episodes}.")
    there = variants.find_runs(sources)
    if there is not None:
        told = {
            "--env": env,
            "--trainer": trainers,
            "--vary": vary,
            "--set": settings,
            "--seeds": seeds,
            "--max-steps": max_steps,
            "--time": time,
            "--initialize-from": initialize_from,
        }
        useless = [
            flag
            for flag, value in told.items()
            if value is not None and (isinstance(value, str | float | int) or len(value) > 0)
        ]
        if useless:
            raise UsageError(
                f"{', '.join(useless)}: these runs are there already, and nothing is trained. Leave it out, or give "
                "presets or run files."
            )
        runs = variants.group_runs(there)
        variants.refuse_unequal(_sides(runs))
        results = [_read(run) for run in runs]
        folder = out or default_folder(runs[0].variant, [str(run.path.resolve()) for run in runs])
        with named_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with CompareProgress(stream) as progress:
            return _conclude(runs, results, [], folder, episodes, film, progress)

    count = SEEDS if seeds is None else seeds
    for flag, number in (("--seeds", count), ("--jobs", 1 if jobs is None else jobs)):
        if number < 1:
            raise UsageError(f"{flag} must be at least 1, but is {number}.")
    overrides: list[str | Override] = [*settings]
    if max_steps is not None:
        overrides.append(Override("max_steps", max_steps, f"--max-steps {max_steps}"))
    if time is not None:
        overrides.append(Override("time_limit", time, f"--time {time}"))
    if initialize_from is not None:
        flag = f"--initialize-from {initialize_from}"
        overrides.append(Override("checkpoint_settings.initialize_from", initialize_from, flag))
    sides = variants.plan_variants(sources, env, trainers, vary, overrides)
    variants.refuse_unequal(sides)
    variants.refuse_unequal_budgets(sides)
    find_spec(sides[0].config.env_id)  # known before anything is written
    folder = out or default_folder(sides[0], [settings_text(side, Path()) for side in sides])
    write_settings(sides, folder)
    runs = [Run(side, seed, folder / f"{side.slug}-seed{seed}") for seed in range(count) for side in sides]
    return _train_and_conclude(runs, folder, jobs or usable_cores(), episodes, terms, film, stream)


def _train_and_conclude(
    runs: Sequence[Run],
    folder: Path,
    at_once: int,
    episodes: int,
    terms: Path | None,
    film: Film,
    stream: TextIO | TextIOBase | None,
) -> Comparison:
    jobs = [Job(run, folder / f"{run.variant.slug}.yaml", terms) for run in runs if not is_complete(run)]
    with CompareProgress(stream) as progress:
        with StopRequest(lambda _: progress.message("ending the runs…")) as stop:
            if len(jobs) < len(runs):
                progress.message(
                    f"{len(runs) - len(jobs)} of {len(runs)} runs are complete in {folder} already."
                )
            run_jobs(jobs, at_once, progress.show, lambda: stop.requested)
        if stop.exit_code is not None:
            return _stopped(runs, folder, stop.exit_code, progress)
        failures = [
            f"{job.run.name} failed with exit code {job.exit_code}. {job.log} ends: {job.last_lines()}"
            for job in jobs
            if job.exit_code != 0
        ]
        failed = {job.run.path for job in jobs if job.exit_code != 0}
        results: list[Result] = []
        for run in runs:
            if run.path in failed:
                continue
            try:
                results.append(_read(run))
            except AmbleError as error:
                failures.append(f"{run.name} failed: {error}")
        try:
            return _conclude(runs, results, failures, folder, episodes, film, progress)
        except KeyboardInterrupt:
            return _stopped(runs, folder, 130, progress)


def _stopped(runs: Sequence[Run], folder: Path, exit_code: int, progress: CompareProgress) -> Comparison:
    """A signal has ended the comparison: say what is kept, and how to go on."""
    complete = sum(is_complete(run) for run in runs)
    progress.message(
        f"Stopped: {complete} of {len(runs)} runs are complete and kept in {folder}. The same command with --out "
        f"{folder} goes on."
    )
    return Comparison(exit_code=exit_code)


def _read(run: Run) -> Result:
    """UsageError where the run has no row of metrics."""
    summary = run.path / "summary.json"
    return Result(run, RunCurves(run.path), read_json(summary) if summary.is_file() else {})


def _sides(runs: Sequence[Run]) -> list[Variant]:
    return list({run.variant.name: run.variant for run in runs}.values())


def _conclude(
    runs: Sequence[Run],
    results: list[Result],
    failures: list[str],
    folder: Path,
    episodes: int,
    film: Film,
    progress: CompareProgress,
) -> Comparison:
    sides = _sides(runs)
    if film == "only":
        return _filmed(sides, results, failures, folder, progress)
    results = _evaluated(results, sides[0], episodes, failures, progress)
    span = shared_span([result.curves for result in results])
    for result in results:
        result.area = None if span is None else area_under_curve(result.curves, span)
    groups = {
        side.name: [result for result in results if result.run.variant.name == side.name] for side in sides
    }
    groups = {name: sorted(group, key=lambda result: result.run.seed) for name, group in groups.items()}
    progress.message(f"Drawing {statistics.RESAMPLES} resamples of the seeds…")
    notes = _notes(sides, groups)
    looks, more = {}, {}
    if results and worth_recording(sides):
        paths = {name: [result.run.path for result in group] for name, group in groups.items()}
        looks = looked_at(sides, paths, notes, progress.message)
        more = as_figures(sides, looks)
    scores = [
        Score.of(name, [result.return_mean for result in group]) for name, group in groups.items() if group
    ]
    decided = statistics.verdict(scores)
    figures = _finite(
        {
            "env_id": sides[0].config.env_id,
            "episodes": episodes,
            "confidence": statistics.CONFIDENCE,
            "resamples": statistics.RESAMPLES,
            "shared_steps": span,
            "variants": [_variant_figures(name, groups[name], scores) for name in groups],
            "pairs": _pairs(scores),
            "failures": failures,
            "notes": notes,
            "winner": decided.winner,
            "verdict": decided.sentence,
            **more,
        }
    )
    write_file(folder / "compare.json", json.dumps(figures, indent=1) + "\n")
    written = [folder / "compare.json"]
    if results:
        drawn = {name: [result.curves for result in group] for name, group in groups.items() if group}
        written.append(
            draw_comparison(drawn, scores, sides[0].config.env_id, decided, folder / "compare.png")
        )
        filmed = None
        if film == "page" and any(looks.values()):
            try:
                filmed = film_of(sides, looks, folder / "comparison.mp4", progress.message)
                written.append(filmed[0])
            except AmbleError as error:
                notes.append(f"There is no film: {error}")
        written.append(
            page_of(
                sides, {name: drawn.get(name, []) for name in groups}, looks, folder / "comparison.html",
                facts=_facts(sides, groups, episodes), verdict=decided.sentence, notes=[*failures, *notes],
                film=filmed,
            )
        )  # fmt: skip
    table = _table(figures, decided, notes, written)
    return Comparison(figures, table, failures, 1 if failures else 0)


def _filmed(
    sides: Sequence[Variant],
    results: Sequence[Result],
    failures: list[str],
    folder: Path,
    progress: CompareProgress,
) -> Comparison:
    """The film alone."""
    paths = {
        side.name: [result.run.path for result in results if result.run.variant.name == side.name]
        for side in sides
    }
    looks = looked_at(sides, paths, failures, progress.message)
    if not any(looks.values()):
        return Comparison(failures=[*failures, "There is nobody to film."], exit_code=1)
    video, _, told = film_of(sides, looks, folder / "comparison.mp4", progress.message)
    return Comparison({"video": str(video), "seen": told}, str(video), failures, 1 if failures else 0)


def _facts(sides: Sequence[Variant], groups: dict[str, list[Result]], episodes: int) -> list[str]:
    """Who was trained, for how long, how it was measured: the first lines of the page."""
    seeds = sorted({len(group) for group in groups.values() if group})
    many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    first = sides[0]
    limit = first.config.time_limit
    budget = f"{first.max_steps:,} env steps" if limit is None else f"{duration(limit)} of training"
    start = first.config.checkpoint_settings.initialize_from or first.config.checkpoint_settings.branch_from
    return [
        f"{len(sides)} variants, {many} seed{'s' if many != '1' else ''} each, {budget} a run"
        + (f", from {start}." if start else "."),
        f"The last policies (mean action) were evaluated by {episodes} episodes each.",
    ]


def _evaluated(
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


def _variant_figures(name: str, group: Sequence[Result], scores: Sequence[Score]) -> dict[str, Any]:
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


def _pairs(scores: Sequence[Score]) -> list[dict[str, Any]]:
    pairs = []
    for a, b in combinations(scores, 2):
        x, y = np.array(a.values), np.array(b.values)
        apart = (
            a.interval is not None
            and b.interval is not None
            and not statistics.overlap(a.interval, b.interval)
        )
        pairs.append(
            {
                "a": a.name,
                "b": b.name,
                "probability_a_better": float(statistics.probability_of_improvement(x, y)),
                "interval": statistics.improvement_interval(x, y),
                "intervals_overlap": None if a.interval is None or b.interval is None else not apart,
            }
        )
    return pairs


def _notes(sides: Sequence[Variant], groups: dict[str, list[Result]]) -> list[str]:
    """What a reader must know before believing the table."""
    notes = []
    if variants.reshaped(sides):
        notes.append(
            "Rewards of terms: the returns of the table and the verdict are by the task's own reward, and not by the "
            "one that such a variant learned from."
        )
    if not variants.same_task(sides):
        tasks = "; ".join(f"{side.name} {side.env_kwargs}" for side in sides)
        notes.append(f"The tasks differ, and each policy is played in its own: {tasks}.")
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


def _table(figures: dict[str, Any], decided: Verdict, notes: Sequence[str], written: Sequence[Path]) -> str:
    """Plain text: a row a variant, how the first stands to the others, notes, the verdict, the files."""
    head = ["variant", "seeds", "IQM return", "95 % interval", "area", "wall s", "steps/s"]
    rows = [
        [
            variant["name"],
            str(len(variant["seeds"])),
            _figure(variant["iqm"]),
            _range(variant["interval"]),
            _figure(variant["area_under_curve"]),
            _figure(variant["wall_seconds"]),
            _figure(variant["steps_per_second"]),
        ]
        for variant in figures["variants"]
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(
            f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]
    ranked = [
        v["name"]
        for v in sorted(figures["variants"], key=lambda v: -(v["iqm"] if v["iqm"] is not None else math.inf))
    ]
    pairs = [pair for pair in figures["pairs"] if ranked[0] in (pair["a"], pair["b"])]
    for pair in pairs if len(pairs) <= 6 else []:
        lines.append(
            f"P({pair['a']} > {pair['b']}) = {pair['probability_a_better']:.2f}  "
            f"{_range(pair['interval'], '.2f')}"
        )
    lines += [f"Note: {note}" for note in notes]
    lines.append(decided.sentence)
    lines += [str(path) for path in written]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 10_000 else f"{value:.4g}"


def _range(interval: Sequence[float] | None, form: str = ".4g") -> str:
    return "one seed: none" if interval is None else f"[{interval[0]:{form}}, {interval[1]:{form}}]"


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is not finite becomes null; tuples become lists."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
