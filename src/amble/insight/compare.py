"""Seeds × variants at equal budget: train what is missing, evaluate every last policy, and say what can be said.

The score of a seed is the mean return of its last policy over the evaluation episodes (mean action, normaliser frozen),
not the best checkpoint's and not the training return. A winner is named only where intervals over seeds do not overlap.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import TextIOBase
from pathlib import Path
from typing import Any, Literal, TextIO

from amble.config import Override
from amble.envs.backends.cores import usable_cores
from amble.envs.making import find_spec
from amble.errors import AmbleError, UsageError
from amble.insight import statistics, variants
from amble.insight.compare_page import as_figures, film_of, looked_at, page_of, worth_recording
from amble.insight.compare_picture import draw_comparison
from amble.insight.compare_progress import CompareProgress
from amble.insight.compare_results import Result, evaluated, notes_on, pairs, read, variant_figures
from amble.insight.compare_runs import default_folder, is_complete, settings_text, write_settings
from amble.insight.compare_table import finite, table
from amble.insight.curves import area_under_curve, shared_span
from amble.insight.jobs import Job, run_jobs
from amble.insight.statistics import Score
from amble.insight.variants import Run, Variant
from amble.training.files import named_os_errors, write_file
from amble.training.interrupt import StopRequest
from amble.training.progress import duration

SEEDS, EPISODES = 5, 100
Film = Literal["page", "none", "only"]
"""Of the bodies side by side: in the page, not at all, or nothing but it."""


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
        results = [read(run) for run in runs]
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
                results.append(read(run))
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
    results = evaluated(results, sides[0], episodes, failures, progress)
    span = shared_span([result.curves for result in results])
    for result in results:
        result.area = None if span is None else area_under_curve(result.curves, span)
    groups = {
        side.name: [result for result in results if result.run.variant.name == side.name] for side in sides
    }
    groups = {name: sorted(group, key=lambda result: result.run.seed) for name, group in groups.items()}
    progress.message(f"Drawing {statistics.RESAMPLES} resamples of the seeds…")
    notes = notes_on(sides, groups)
    looks, more = {}, {}
    if results and worth_recording(sides):
        paths = {name: [result.run.path for result in group] for name, group in groups.items()}
        looks = looked_at(sides, paths, notes, progress.message)
        more = as_figures(sides, looks)
    scores = [
        Score.of(name, [result.return_mean for result in group]) for name, group in groups.items() if group
    ]
    decided = statistics.verdict(scores)
    figures = finite(
        {
            "env_id": sides[0].config.env_id,
            "episodes": episodes,
            "confidence": statistics.CONFIDENCE,
            "resamples": statistics.RESAMPLES,
            "shared_steps": span,
            "variants": [variant_figures(name, groups[name], scores) for name in groups],
            "pairs": pairs(scores),
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
    text = table(figures, decided, notes, written)
    return Comparison(figures, text, failures, 1 if failures else 0)


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
