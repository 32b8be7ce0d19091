"""Many runs of one function: every combination of settings and seeds, each in a process of its own.

    grid = ExperimentGrid("ppo-cartpole")
    grid.add("env_name", "CartPole-v1", "", in_name=True)
    grid.add("seed", [0, 10, 20])
    grid.add("ac_kwargs:hidden_sizes", [(32,), (64, 64)], "hid")
    grid.run(ppo_pytorch, num_cpu="auto")

Variants are named as Spinning Up names them. Processes start afresh, so a script that runs a grid does it below
`if __name__ == "__main__":`, and what it adds must be findable by name there (no lambdas).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOBase
from itertools import product
from pathlib import Path
from typing import Any, Literal, TextIO

from amble.errors import AmbleError, UsageError
from amble.spinup.experiments import Experiment, run_experiments
from amble.spinup.logger import readable, setup_logger_kwargs


@dataclass(frozen=True)
class _Setting:
    key: str
    values: list[Any]
    shorthand: str
    in_name: bool


class ExperimentGrid:
    """Settings and the values that each is to take."""

    def __init__(self, name: str = ""):
        if not isinstance(name, str):
            raise UsageError(f"ExperimentGrid: the name is {name!r}, expected a string.")
        self._name = name
        self._settings: list[_Setting] = []

    def add(self, key: str, vals: Any, shorthand: str | None = None, in_name: bool = False) -> None:
        """Let a setting take each of some values.

        Args:
            key: the argument's name; `ac_kwargs:hidden_sizes` is the key `hidden_sizes` of the dict `ac_kwargs`.
            vals: a list of values, or the one value.
            shorthand: what stands for the key in names; by default the first three letters of each part of it.
            in_name: whether the setting is in the names although it has one value.
        """
        if not isinstance(key, str) or not key or not all(key.split(":")):
            raise UsageError(
                f"ExperimentGrid.add: the key is {key!r}, expected a name, or names with `:` between."
            )
        if shorthand is not None and not isinstance(shorthand, str):
            raise UsageError(
                f"ExperimentGrid.add: the shorthand of `{key}` is {shorthand!r}, expected a string."
            )
        values = vals if isinstance(vals, list) else [vals]
        if not values:
            raise UsageError(f"ExperimentGrid.add: `{key}` has no values.")
        for setting in self._settings:
            if _overlap(key, setting.key):
                raise UsageError(f"ExperimentGrid.add: `{key}` was added before, as `{setting.key}`.")
        self._settings.append(
            _Setting(key, values, _shorthand(key) if shorthand is None else shorthand, in_name)
        )

    def variants(self) -> list[dict[str, Any]]:
        """Every combination, as nested keyword arguments; the first setting added varies slowest."""
        return [variant for variant, _ in self._combinations()]

    def variant_name(self, variant: dict[str, Any]) -> str:
        """The grid's name and what sets this variant apart, with `_` between; seeds share one name.

        In it is each setting with more values than one, or added with `in_name`: shorthand and value, in lower case
        and without what a file name cannot hold. A setting of nothing but booleans is there where it is True.
        """
        return self._name_of([_look_up(variant, setting.key) for setting in self._settings])

    def print(self, stream: TextIO | TextIOBase | None = None) -> None:
        """The settings with their values, and how many runs that makes."""
        lines = [f"ExperimentGrid [{self._name}] runs over parameters:"]
        for setting in self._settings:
            lines += [f" {setting.key:40} [{setting.shorthand}]"]
            lines += [f"    {readable(value)}" for value in setting.values]
        every = len(self.variants())
        seeds = next((len(s.values) for s in self._settings if s.key == "seed"), 1)
        lines += [f" Variants, counting seeds: {every}", f" Variants, not counting seeds: {every // seeds}"]
        (stream or sys.stdout).write("\n".join(lines) + "\n")

    def run(
        self,
        thunk: Callable[..., Any],
        num_cpu: int | Literal["auto"] = 1,
        data_dir: str | Path | None = None,
        datestamp: bool = False,
    ) -> dict[str, Path]:
        """Run `thunk(**variant)` for every variant; what each wrote where comes back, by `name_s[seed]`.

        Each gets `seed` (0 unless added) and, unless they were added, `logger_kwargs` for
        data_dir/name/name_s[seed]. An `env_name` is made into an `env_fn` for that Gymnasium id.

        Args:
            thunk: a function that can be found by name, such as `ppo_pytorch`.
            num_cpu: runs at a time; "auto" for one a core. More than one write their tables to `output.txt` each.
            data_dir: see `setup_logger_kwargs`.
            datestamp: the same.

        Raises:
            AmbleError: some variants failed, each named with its reason; all others were run to their end.
        """
        if num_cpu != "auto" and not (isinstance(num_cpu, int) and num_cpu >= 1):
            raise UsageError(f"ExperimentGrid.run: num_cpu is {num_cpu!r}, expected 'auto' or at least 1.")
        if not callable(thunk):
            raise UsageError(f"ExperimentGrid.run: the thunk is {thunk!r}, expected a function.")
        experiments = []
        for variant, values in self._combinations():
            name = self._name_of(values) or getattr(thunk, "__name__", "experiment")
            seed = variant.get("seed", 0)
            arguments = {
                "seed": seed,
                "logger_kwargs": setup_logger_kwargs(name, seed, data_dir, datestamp),
                **variant,
            }
            folder = Path(
                arguments["logger_kwargs"].get("output_dir") or setup_logger_kwargs(name, seed)["output_dir"]
            )
            experiments.append(Experiment(f"{name}_s{seed}", thunk, arguments, folder))
        names = [experiment.name for experiment in experiments]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UsageError(
                f"ExperimentGrid.run: {len(twice)} variants are named {twice[0]}. Names hold letters in lower case, "
                "digits, - and _, and of numbers what str() shows: give values that differ in that."
            )
        failures = run_experiments(experiments, num_cpu, sys.stdout)
        if failures:
            reasons = "\n".join(f"    {name}: {reason}" for name, reason in failures.items())
            raise AmbleError(
                f"{len(failures)} of {len(experiments)} variants failed, the others are done:\n{reasons}"
            )
        return {experiment.name: experiment.output_dir for experiment in experiments}

    def _combinations(self) -> Iterator[tuple[dict[str, Any], list[Any]]]:
        for values in product(*(setting.values for setting in self._settings)):
            variant: dict[str, Any] = {}
            for setting, value in zip(self._settings, values, strict=True):
                *parents, last = setting.key.split(":")
                level = variant
                for parent in parents:
                    level = level.setdefault(parent, {})
                level[last] = value
            yield variant, list(values)

    def _name_of(self, values: list[Any]) -> str:
        name = self._name
        for setting, value in zip(self._settings, values, strict=True):
            if setting.key == "seed" or not (len(setting.values) > 1 or setting.in_name):
                continue
            if all(isinstance(each, bool) for each in setting.values):
                name += f"_{_in_file_name(setting.shorthand)}" if value else ""
            else:
                name += f"_{_in_file_name(setting.shorthand)}{_in_file_name(value)}"
        return name.lstrip("_")


def _look_up(variant: dict[str, Any], key: str) -> Any:
    for part in key.split(":"):
        if not isinstance(variant, dict) or part not in variant:
            raise UsageError(f"ExperimentGrid.variant_name: the variant has no `{key}`.")
        variant = variant[part]
    return variant


def _overlap(one: str, other: str) -> bool:
    """Whether one key is the other, or within the dict that the other sets whole."""
    return f"{one}:".startswith(f"{other}:") or f"{other}:".startswith(f"{one}:")


def _shorthand(key: str) -> str:
    return "-".join("".join(c for c in part[:3] if c.isascii() and c.isalnum()) for part in key.split(":"))


def _in_file_name(value: Any) -> str:
    if hasattr(value, "__name__"):
        return _in_file_name(value.__name__)
    if isinstance(value, list | tuple):
        return "-".join(_in_file_name(item) for item in value)
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in str(value).lower())
