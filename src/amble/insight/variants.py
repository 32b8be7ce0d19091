"""What is compared: the variants that the command's words ask for, or the groups that runs fall into."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from amble.config import Override, RunConfig, list_presets, load_run, run_from_env
from amble.config.yaml_reader import read_value
from amble.errors import UsageError
from amble.training.run_directory import RunDirectory

_REWARD = re.compile("reward|cost")
"""Keyword arguments of an environment that shape its reward and leave its task alone."""
_SEED = re.compile(r"[-_. ]*(seed|s)?[-_. ]*\d+$")


@dataclass(frozen=True)
class Variant:
    """One side of a comparison: a name, and settings in which the seed and the place do not count."""

    name: str
    config: RunConfig

    @property
    def slug(self) -> str:
        """The name as a part of a file's name."""
        return re.sub(r"[^A-Za-z0-9_.=+-]+", "-", self.name).strip("-.") or "variant"

    @property
    def env_kwargs(self) -> dict[str, Any]:
        """The keyword arguments of its environment."""
        return {**self.config.env_settings.env_kwargs, **self.config.constant_parameters}

    @property
    def max_steps(self) -> int:
        """Its budget in env steps."""
        return self.config.behavior[1].max_steps


@dataclass(frozen=True)
class Run:
    """One seed of a variant, and the directory of its run."""

    variant: Variant
    seed: int
    path: Path

    @property
    def name(self) -> str:
        """How it is called on screen."""
        return f"{self.variant.name}, seed {self.seed}"


def plan_variants(
    sources: Sequence[str],
    env: str | None,
    trainers: Sequence[str],
    vary: Sequence[str],
    overrides: Sequence[str | Override],
) -> list[Variant]:
    """Sources × trainers × values, each combination loaded with `overrides` made.

    Args:
        sources: presets and run files; none with `env`, whose settings then come from `run_from_env`.
        env: a Gymnasium id; over a source it overrides the environment, as in `amble train`.
        trainers: algorithms; none for what each source asks for.
        vary: `key=value,value`; several keys make a grid.
        overrides: changes to all variants.

    Raises:
        UsageError: nothing to compare, two variants of one name, or settings that a run file refuses.
    """
    if not sources and env is None:
        raise UsageError(
            "`amble compare` needs presets, run files, runs or --env; for example "
            "`amble compare cartpole --vary hyperparameters.learning_rate=1e-3,3e-4 --seeds 5`."
        )
    axes = [_values(words) for words in vary]
    keys = _short_keys([axis[0].key for axis in axes])
    variants = []
    for source, trainer, values in product(sources or [None], trainers or [None], list(product(*axes))):
        parts = [Path(source).stem] if source is not None and (len(sources) > 1) else []
        parts += [trainer] if trainer is not None and len(trainers) > 1 else []
        parts += [f"{key}={value.cited.partition('=')[2]}" for key, value in zip(keys, values, strict=True)]
        changes = [
            *overrides,
            *([] if env is None else [Override("env_settings.env_id", env, f"--env {env}")]),
            *([] if trainer is None else [Override("trainer_type", trainer, f"--trainer {trainer}")]),
            *values,
        ]
        config = (
            run_from_env(str(env), trainer or "ppo", changes) if source is None else load_run(source, changes)
        )
        name = ", ".join(parts) or (
            Path(source).stem if source is not None else config.behavior[1].trainer_type
        )
        variants.append(Variant(name, config))
    _refuse_namesakes(variants)
    return variants


def _values(words: str) -> list[Override]:
    """`key=a,b` → an override for each value; commas within brackets and quotes part nothing."""
    key, equals, text = words.partition("=")
    pieces = [piece.strip() for piece in _split(text)]
    if not equals or not key.strip() or not all(pieces):
        raise UsageError(
            f"--vary {words}: this is no key=value,value; for example "
            "`--vary hyperparameters.learning_rate=1e-3,3e-4`."
        )
    return [
        Override(
            key.strip(), read_value(piece, f"--vary {key.strip()}={piece}"), f"--vary {key.strip()}={piece}"
        )
        for piece in pieces
    ]


def _split(text: str) -> list[str]:
    pieces, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "[{") - (char in "]}")
        if char == "," and depth == 0 and not quote:
            pieces.append("")
        else:
            pieces[-1] += char
    return pieces


def _short_keys(keys: Sequence[str]) -> list[str]:
    """The last part of each dotted key, or all of it where two end alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return [short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)]


def _refuse_namesakes(variants: Sequence[Variant]) -> None:
    slugs = [variant.slug for variant in variants]
    for variant in variants:
        if slugs.count(variant.slug) > 1:
            raise UsageError(
                f"two variants are called `{variant.name}`, and their results could not be told apart. "
                "Name each file, trainer and value once, and give files of one name different names."
            )


def refuse_unequal(variants: Sequence[Variant]) -> None:
    """UsageError where the variants live in different environments: their returns are then no common measure.

    What shapes the reward alone may differ: evaluation plays every policy in the first variant's environment. Where
    there are rewards of terms, what the task asks for may differ too, and each policy is played in its own.
    """
    first = variants[0]
    for other in variants[1:]:
        if first.config.env_id != other.config.env_id:
            difference = f"{first.config.env_id} and {other.config.env_id}"
        elif _task(first) != _task(other) and not reshaped([first, other]):
            difference = f"{first.config.env_id} with {_task(first)} and with {_task(other)}"
        else:
            continue
        raise UsageError(
            f"`{first.name}` and `{other.name}` learn in different environments ({difference}), whose returns are "
            "not comparable. Compare variants in one environment; only its reward may differ."
        )


def refuse_unequal_budgets(variants: Sequence[Variant]) -> None:
    """UsageError where variants that are to be trained have neither the same steps nor the same wall time."""
    first = variants[0]
    for other in variants[1:]:
        same_time = first.config.time_limit == other.config.time_limit
        if same_time and (first.config.time_limit is not None or first.max_steps == other.max_steps):
            continue
        raise UsageError(
            f"`{first.name}` and `{other.name}` have different budgets ({_budget(first)} and {_budget(other)}). "
            "Give all of them the same with --max-steps N or --time SECONDS."
        )


def _budget(variant: Variant) -> str:
    limit = variant.config.time_limit
    return f"{variant.max_steps} steps" + ("" if limit is None else f" or {limit:g} s")


def same_reward(variants: Sequence[Variant]) -> bool:
    """Whether all environments pay the same."""
    return all(variant.env_kwargs == variants[0].env_kwargs for variant in variants)


def reshaped(variants: Sequence[Variant]) -> bool:
    """Whether any of them learns from a reward of terms."""
    return any(variant.config.rewards is not None for variant in variants)


def same_task(variants: Sequence[Variant]) -> bool:
    """Whether their environments differ at most in what they pay."""
    return all(_task(variant) == _task(variants[0]) for variant in variants)


def _task(variant: Variant) -> dict[str, Any]:
    return {key: value for key, value in variant.env_kwargs.items() if not _REWARD.search(key)}


def find_runs(sources: Sequence[str], results: Path = Path("results")) -> list[Path] | None:
    """The directories of runs that `sources` name, by path or below `results`; None if they name what is to be trained.

    A directory of runs, such as an earlier comparison's, stands for the runs in it. A preset's name goes first.

    Raises:
        UsageError: some are runs and some are not.
    """
    presets = {preset.name for preset in list_presets()}
    found: list[Path] = []
    others: list[str] = []
    for source in sources:
        folders = (
            []
            if source in presets
            else [Path(source), *([] if Path(source).exists() else [results / source])]
        )
        runs = [run for folder in folders for run in _runs_at(folder)]
        found += runs
        others += [] if runs else [source]
    if found and others:
        missing = f"`{others[0]}` is none"
        if Path(others[0]).is_dir():
            missing = f"{others[0]} holds neither run.yaml nor metrics.jsonl"
        raise UsageError(
            f"`{found[0]}` is a run that is there, and {missing}: give either runs that are there, or presets and "
            "run files to train."
        )
    return found or None


def _runs_at(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    inside = [folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())]
    runs = [path for path in inside if any((path / mark).is_file() for mark in ("run.yaml", "metrics.jsonl"))]
    return runs[:1] if runs[:1] == [folder] else runs


def group_runs(paths: Sequence[Path]) -> list[Run]:
    """Runs that differ only by seed become one variant.

    Raises:
        UsageError: a directory is no run, or two runs differ in nothing, not even in the seed.
    """
    groups: list[tuple[dict[str, Any], RunConfig, list[Path]]] = []
    seeds: dict[Path, int] = {}
    for path in dict.fromkeys(paths):
        run = RunDirectory.open(path)
        if not run.run_yaml.is_file():
            raise UsageError(f"{run.run_yaml}: there is no such file, so what {path} trained is not known.")
        config = load_run(run.run_yaml)
        seeds[path] = config.env_settings.seed
        settings = flat_settings(config)
        members = next((group[2] for group in groups if group[0] == settings), None)
        if members is None:
            groups.append((settings, config, [path]))
            continue
        for member in members:
            if seeds[member] == seeds[path]:
                raise UsageError(
                    f"{member} and {path} have the same settings and the same seed ({seeds[path]}): the second says "
                    "nothing new. Leave one of them out."
                )
        members.append(path)
    names = _group_names(groups)
    variants = [Variant(name, config) for name, (_, config, _) in zip(names, groups, strict=True)]
    return [
        Run(variant, seeds[path], path)
        for variant, (_, _, members) in zip(variants, groups, strict=True)
        for path in sorted(members, key=lambda path: seeds[path])
    ]


def flat_settings(config: RunConfig) -> dict[str, Any]:
    """Everything that learning depends on but for the seed, as dotted key → value."""
    tree = config.model_dump(exclude={"notes", "debug"})
    tree["env_settings"].pop("seed")
    start = tree.pop("checkpoint_settings")["initialize_from"]
    name, behavior = next(iter(tree.pop("behaviors").items()))
    return {**_flat(tree), **_flat(behavior), "behaviour": name, "checkpoint_settings.initialize_from": start}


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _group_names(groups: Sequence[tuple[dict[str, Any], RunConfig, list[Path]]]) -> list[str]:
    """Names that tell the groups apart: what their runs' names share, else the settings that differ, else the runs."""
    keys = list(dict.fromkeys(key for settings, _, _ in groups for key in settings))
    differing = [key for key in keys if any(group[0].get(key) != groups[0][0].get(key) for group in groups)]
    if "trainer_type" in differing:  # each trainer has hyperparameters of its own
        differing = ["trainer_type", *(key for key in differing if all(key in group[0] for group in groups))]
        differing = list(dict.fromkeys(differing))
    by_run = [_common_stem(paths) for _, _, paths in groups]
    by_setting = [
        ", ".join(f"{key.rpartition('.')[2]}={settings.get(key)}" for key in differing[:4])
        for settings, _, _ in groups
    ]
    whole = [", ".join(path.resolve().name for path in paths) for _, _, paths in groups]
    paths = [", ".join(str(path) for path in paths) for _, _, paths in groups]
    for names in (by_run, by_setting, whole):
        if all(names) and len(set(names)) == len(groups):
            return names
    return paths


def _common_stem(paths: Sequence[Path]) -> str:
    names = [path.resolve().name for path in paths]
    stems = {_SEED.sub("", name) if len(names) > 1 or "seed" in name else name for name in names}
    return stems.pop() if len(stems) == 1 else ""
