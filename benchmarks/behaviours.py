"""The behaviours that come with Amble, trained, measured and shown: `python benchmarks/behaviours.py [NAME…]`.

Trains each behaviour's preset over seeds from one shipped policy, writes down how each goes (the gait fingerprint),
holds it to what its name claims beside `walk`, and draws a strip of pictures over one gait cycle of each. All of it
lies in results/behaviours/: `behaviours.md`, `behaviours.json`, NAME.png, and the runs. Ctrl-C keeps what is there; the
same command goes on: finished runs are kept, and an interrupted one resumes at its last checkpoint. With `--publish`
the table and the strips are written to docs/ and the README as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from amble.cli.durations import seconds
from amble.config import Override, list_presets
from amble.errors import AmbleError
from amble.insight.behaviours import Behaviour, as_json, look_at, measured_lines, table, with_claims
from amble.insight.claims import CLAIMS, REFERENCE
from amble.insight.compare_progress import CompareProgress
from amble.insight.compare_runs import is_complete, write_settings
from amble.insight.jobs import Job, run_jobs
from amble.insight.recording import EPISODES
from amble.insight.strip import write_strip
from amble.insight.variants import Run, Variant, plan_variants
from amble.training.files import write_file
from amble.training.interrupt import StopRequest

_BEGIN, _END = "<!-- behaviours -->", "<!-- /behaviours -->"
"""Where the README has the table."""


def main() -> int:
    """Train, measure, write."""
    words = _words()
    names = list(dict.fromkeys([REFERENCE, *(words.names or CLAIMS)]))
    sides = _planned(names, words)
    runs = [
        Run(side, seed, words.out / f"{side.slug}-seed{seed}")
        for seed in range(words.seeds)
        for side in sides
    ]
    code = 0
    with CompareProgress() as progress:
        if not words.no_train:
            write_settings(sides, words.out)
            with StopRequest(
                lambda _: progress.message("ending the runs, which save what they have…")
            ) as stop:
                code = _train(runs, words.out, words.jobs, progress, stop)
            if stop.exit_code is not None:
                return stop.exit_code
        _report(sides, runs, words, progress)
    return code


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    presets = {preset.name for preset in list_presets()}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"presets; default: {', '.join(CLAIMS)}")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs a behaviour (default 3)")
    parser.add_argument(
        "--time", type=seconds, default=900.0, metavar="TIME", help="of every run at most (default 15m)"
    )
    parser.add_argument(
        "--max-steps", type=float, metavar="N", help="env steps of every run; its rate falls to 0 by then"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at the same time (default 1)")
    parser.add_argument(
        "--from",
        dest="start",
        metavar="PRESET",
        help="whose shipped policy they start from (default: the preset's own choice); `scratch` for none",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change any key of all",
    )
    parser.add_argument("--out", type=Path, default=Path("results/behaviours"), metavar="DIR")
    parser.add_argument("--no-train", action="store_true", help="only look at the runs that are finished")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="write the README's table, docs/behaviours.md and docs/pictures/ too",
    )
    words = parser.parse_args()
    for name in words.names:
        if name not in presets:
            parser.error(f"there is no preset `{name}`; behaviours: {', '.join(CLAIMS)}")
    if words.seeds < 1 or words.jobs < 1:
        parser.error("--seeds and --jobs are at least 1")
    return words


def _planned(names: list[str], words: argparse.Namespace) -> list[Variant]:
    overrides: list[str | Override] = [
        *words.settings,
        Override("time_limit", words.time, f"--time {words.time:g}"),
    ]
    if words.max_steps is not None:
        overrides.append(Override("max_steps", words.max_steps, f"--max-steps {words.max_steps:g}"))
    if words.start == "scratch":
        keys = ("initialize_from", "reset_std")
        overrides += [Override(f"checkpoint_settings.{key}", None, "--from scratch") for key in keys]
    elif words.start is not None:
        overrides.append(
            Override("checkpoint_settings.initialize_from", words.start, f"--from {words.start}")
        )
    return [side for name in names for side in plan_variants([name], None, (), (), overrides)]


def _train(runs: list[Run], out: Path, at_once: int, progress: CompareProgress, stop: StopRequest) -> int:
    jobs = [Job(run, out / f"{run.variant.slug}.yaml", resume=True) for run in runs if not is_complete(run)]
    if len(jobs) < len(runs):
        progress.message(f"{len(runs) - len(jobs)} of {len(runs)} runs are finished in {out} already.")
    run_jobs(jobs, at_once, progress.show, lambda: stop.requested)
    for job in jobs:
        if job.exit_code not in (0, None):
            progress.message(f"{job.run.name} failed. {job.log} ends: {job.last_lines()}")
    if stop.requested:
        finished = sum(is_complete(run) for run in runs)
        progress.message(
            f"Stopped: {finished} of {len(runs)} runs are finished in {out}. The same command goes on."
        )
    return int(any(job.exit_code not in (0, None) for job in jobs))


def _report(
    sides: list[Variant], runs: list[Run], words: argparse.Namespace, progress: CompareProgress
) -> None:
    out = words.out
    found: list[Behaviour] = []
    for side in sides:
        rewards = side.config.rewards
        mine = sorted(
            (run for run in runs if run.variant is side and is_complete(run)), key=lambda run: run.seed
        )
        if not mine or rewards is None:
            progress.message(f"{side.name}: no run is finished.")
            continue
        progress.message(f"{side.name}: looking at {len(mine)} finished runs…")
        found.append(
            Behaviour(side.name, rewards, tuple(look_at(run.path, run.seed, rewards) for run in mine))
        )
    if not found:
        return
    found = with_claims(found)
    pictures = {}
    for one in found:
        try:
            pictures[one.name] = write_strip(one.typical.run, out / f"{one.name}.png").name
        except AmbleError as error:
            progress.message(f"{one.name}: no strip: {error}")
    write_file(out / "behaviours.json", json.dumps(as_json(found), indent=1) + "\n")
    caption = _caption(found, sides[0].config.checkpoint_settings.initialize_from)
    write_file(out / "behaviours.md", f"{caption}\n\n{table(found, pictures)}\n")
    for one in found:
        print(f"{one.name}: {'as its name says' if one.holds else 'NOT as its name says'}")
        for line in measured_lines(one):
            print(f"    {line.strip('*')}")
    print(out / "behaviours.md")
    if words.publish:
        _publish(found, out, pictures, caption)


def _caption(found: list[Behaviour], source: str | None) -> str:
    """How the table came about."""
    steps = sorted(seed.env_steps for one in found for seed in one.seeds)
    counts = sorted({len(one.seeds) for one in found})
    many = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    start = "from scratch" if source is None else f"from the policy that comes with `{source}`"
    taken = f"{steps[0]:,}" if steps[0] == steps[-1] else f"{steps[0]:,} to {steps[-1]:,}"
    return (
        f"{many} seed{'s' if many != '1' else ''} each, {start}: {taken} env steps of training. "
        f"Means over {EPISODES} episodes a seed; in brackets the 95 % interval over seeds. Strips are of the seed of "
        "median return by the behaviour's own reward."
    )


def _publish(found: list[Behaviour], out: Path, pictures: dict[str, str], caption: str) -> None:
    folder = Path("docs/pictures")
    for name, picture in pictures.items():
        shutil.copyfile(out / picture, folder / f"behaviour-{name}.png")
    there = {name: f"pictures/behaviour-{name}.png" for name in pictures}
    write_file(Path("docs/behaviours.md"), f"# Behaviours\n\n{caption}\n\n{table(found, there)}\n")
    there = {name: f"docs/{picture}" for name, picture in there.items()}
    readme = Path("README.md")
    before, _, rest = readme.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise AmbleError(f"{readme}: the table's place is not there: {_BEGIN} and {_END}.")
    write_file(readme, f"{before}{_BEGIN}\n{caption}\n\n{table(found, there)}\n{end}{after}")
    print(f"docs/behaviours.md, {readme}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except AmbleError as error:
        print(f"behaviours: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
