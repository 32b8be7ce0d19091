"""A RUN_DIR argument: a path, or the id of a run below `results/`."""

from pathlib import Path

from amble.errors import UsageError

RESULTS = Path("results")


def find_run(name: str) -> Path:
    """The folder of the run called `name`; UsageError that names the nearest runs there are."""
    for folder in (Path(name), RESULTS / name):
        if (folder / "run.yaml").is_file():
            return folder
    for folder in (Path(name), RESULTS / name):
        if folder.exists():
            raise UsageError(f"{folder} is not a run: it holds no run.yaml.")
    raise UsageError(
        f"There is no run `{name}`, neither as a path nor below {RESULTS}/. {_nearest_runs(name)}"
    )


def find_runs(name: str) -> list[Path]:
    """The folder of the run called `name`, or those of its behaviours where it has several."""
    from amble.training.run_directory import runs_within

    folder = find_run(name)
    return runs_within(folder) or [folder]


def find_policy(name: str, *, whole: bool = False) -> Path:
    """The same where a preset's name is allowed too, meaning the policy shipped with it.

    A run of one's own by that name goes first: a preset's run is called like the preset. A run of several behaviours
    is refused unless it can be taken as a `whole`.
    """
    from amble.config import list_presets, shipped_policy

    own = any((folder / "run.yaml").is_file() for folder in (Path(name), RESULTS / name))
    if own or name not in {preset.name for preset in list_presets()}:
        runs = find_runs(name)
        if len(runs) > 1 and not whole:
            raise UsageError(
                f"{find_run(name)} holds the runs of {len(runs)} behaviours; name one: "
                f"{', '.join(map(str, runs))}."
            )
        return find_run(name) if whole else runs[0]
    shipped = shipped_policy(name)
    if shipped is None:
        raise UsageError(
            f"No trained policy is shipped with the preset `{name}`; train one with `amble train {name}` "
            f"and give its run."
        )
    return shipped


def find_played(name: str, *, whole: bool = False) -> Path:
    """The same, and `RUN@STEP` for the policy as it was at a checkpoint of a run."""
    run, at, step = name.rpartition("@")
    if not at or any((folder / "run.yaml").is_file() for folder in (Path(name), RESULTS / name)):
        return find_policy(name, whole=whole)
    folder = find_run(run)
    return folder.with_name(f"{folder.name}@{step}")


def find_policy_folders(name: str) -> list[Path]:
    """The folder of a policy's files: given as it is, or `policy/` of a run; of several behaviours, that of each."""
    if (Path(name) / "policy.json").is_file():
        return [Path(name)]
    from amble.training.run_directory import runs_within

    folder = find_policy(name, whole=True)
    return [run / "policy" for run in runs_within(folder) or [folder]]


def load_own_terms(path: Path | None) -> None:
    """Register the reward terms of the file that `--terms` names, if any."""
    if path is not None:
        from amble.rewards.files import load_terms

        load_terms(path)


def _nearest_runs(name: str) -> str:
    from difflib import get_close_matches

    runs = sorted(path.parent.name for path in RESULTS.glob("*/run.yaml"))
    if not runs:
        return f"{RESULTS}/ holds no runs."
    close = get_close_matches(name, runs, n=3, cutoff=0.5) or runs[:5]
    return f"The nearest runs there: {', '.join(f'`{run}`' for run in close)}."
