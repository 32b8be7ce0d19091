"""Environment steps a second of whole training loops, the libraries taking turns."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, median
from typing import Any

from peers.environments import KINDS
from peers.records import Records, load
from peers.settings import LEFT_OUT, OURS, How
from peers.worker import Job, RunFailed, run

THREADS = (How(threads=1), How(threads=2, wait="passive"), How(threads=2, wait="active"))
"""What torch may do on two cores. Passive threads sleep while they wait; active ones spin, libgomp's default."""


CONTENDER = 0.7
"""Ways at least this part as quick as the best are tried a second time, since these machines are noisy."""


def best_way(library: str, task: str, setting: str, seconds: float, records: Records) -> How:
    """The quickest of a peer's ways to run, each tried for `seconds`: who steps first, then torch's threads."""

    def speed(how: How) -> float:
        try:
            figures = run(Job(library, task, setting, 0, how, seconds=seconds))
        except RunFailed as failure:
            print(f"  {library} {task} {setting}: {how} does not run\n{failure}", flush=True)
            return 0.0
        records.add({"trial": [library, task, setting], "how": asdict(how), **figures})
        print(f"  {library} {task} {setting}: {how}: {figures['steps_per_second']:,.0f}", flush=True)
        return figures["steps_per_second"]

    def quickest(candidates: list[How]) -> How:
        for how in candidates:
            if how not in tries:
                tries[how] = [speed(how)]
        first = {how: tries[how][0] for how in candidates}
        if max(first.values()) == 0.0:
            raise SystemExit(f"{library} does not run {task} in any way.")
        contenders = [how for how in candidates if first[how] >= CONTENDER * max(first.values())]
        if len(contenders) > 1:
            for how in contenders:
                if len(tries[how]) == 1:
                    tries[how].append(speed(how))
        return max(contenders, key=lambda how: fmean(tries[how]))

    tries: dict[How, list[float]] = {}
    kind = quickest([How(envs=kind) for kind in KINDS]).envs
    return quickest([How(kind, way.threads, way.wait) for way in THREADS])


def ways(
    cases: list[tuple[str, str, str]], seconds: float, forced: How | None, folder: Path, records: Records
) -> dict[tuple[str, str, str], How]:
    """How each (library, task, setting) runs: as forced, as found before on this machine, or as is found now."""
    path = folder / "ways.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    found: dict[tuple[str, str, str], How] = {}
    for case in cases:
        key = " ".join(case)
        if case[0] == "amble":
            found[case] = OURS
        elif forced is not None:
            found[case] = forced
        elif key in known:
            found[case] = How(**known[key])
        else:
            found[case] = best_way(*case, seconds, records)
            known[key] = asdict(found[case])
            path.write_text(json.dumps(known, indent=1) + "\n")
    return found


def measure(
    libraries: list[str],
    tasks: list[str],
    settings: list[str],
    *,
    rounds: int,
    seconds: float,
    trial_seconds: float,
    forced: How | None,
    learner: str | None,
    folder: Path,
) -> None:
    """Print the table of medians; one JSON line a run goes to `folder`/speed.jsonl."""
    records = Records(folder / "speed.jsonl")
    cases = [
        (library, task, setting)
        for setting, task, library in itertools.product(settings, tasks, libraries)
        if (library, task) not in LEFT_OUT
    ]
    how = ways(cases, trial_seconds, forced, folder, records)
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {case: [] for case in cases}
    for number, setting, task in itertools.product(range(rounds), settings, tasks):
        turn = number % len(libraries)
        for library in libraries[turn:] + libraries[:turn]:
            case = (library, task, setting)
            if case not in runs:
                continue
            before = load()
            job = Job(library, task, setting, number, how[case], seconds=seconds, learner=learner)
            figures = {**run(job), "load": before}
            records.add({"round": number, **asdict(job), **figures})
            runs[case].append(figures)
            print(
                f"round {number} {setting} {task} {library} ({how[case]}): "
                f"{figures['steps_per_second']:,.0f} steps/s, load {before}",
                flush=True,
            )
    print(table(libraries, tasks, settings, runs))
    for case in cases:
        if case[0] != "amble":
            print(f"{' '.join(case)}: {how[case]}")
    for (library, task), why in LEFT_OUT.items():
        if library in libraries and task in tasks:
            print(f"{library} {task}: left out, {why}")


def table(
    libraries: list[str],
    tasks: list[str],
    settings: list[str],
    runs: dict[tuple[str, str, str], list[dict[str, Any]]],
) -> str:
    """Medians of the rounds; the ratio is the median of the rounds' ratios, to the peer whose median is best."""
    peers = [library for library in libraries if library != "amble"]
    lines = [
        "environment steps a second, median of the rounds; in brackets the seconds to the end of the first iteration",
        f"{'':27}" + "".join(f"{library:>16}" for library in libraries) + f"{'amble / best':>20}",
    ]

    def of(case: tuple[str, str, str], key: str) -> list[float]:
        return [figures[key] for figures in runs.get(case, [])]

    for setting, task in itertools.product(settings, tasks):
        line = f"{setting:11} {task:15}"
        for library in libraries:
            speeds = of((library, task, setting), "steps_per_second")
            if speeds:
                first = median(of((library, task, setting), "first_iteration_seconds"))
                line += f"{f'{median(speeds):,.0f} ({first:.0f})':>16}"
            else:
                line += f"{'-':>16}"
        medians = {
            peer: median(speeds)
            for peer in peers
            if (speeds := of((peer, task, setting), "steps_per_second"))
        }
        ours = of(("amble", task, setting), "steps_per_second")
        if ours and medians:
            best = max(medians, key=medians.__getitem__)
            theirs = of((best, task, setting), "steps_per_second")
            ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
            line += f"{f'{ratio:.1f} x {best}':>20}"
        lines.append(line)
    return "\n".join(lines)
