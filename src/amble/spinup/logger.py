"""Spinning Up's output: `progress.txt`, `config.json` and a table an epoch on a stream.

`progress.txt` is tab-separated with one line of names and one line an epoch; `config.json` holds every argument and
`exp_name`. Their plotter reads both, and so does anything that reads tables.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from amble.errors import AmbleError, UsageError
from amble.training import files

DATA_DIR = Path("data")
"""Where `setup_logger_kwargs` puts experiments by default, seen from the current directory."""


def setup_logger_kwargs(
    exp_name: str, seed: int | None = None, data_dir: str | Path | None = None, datestamp: bool = False
) -> dict[str, str]:
    """Where the results of one run go, as `logger_kwargs`: {"output_dir": …, "exp_name": …}.

    data_dir/exp_name without a seed; data_dir/exp_name/exp_name_s[seed] with one; with `datestamp`
    data_dir/YYYY-MM-DD_exp_name/YYYY-MM-DD_HH-MM-SS-exp_name_s[seed].

    Args:
        exp_name: name of the experiment; runs that differ only in their seed share it, and plotters group by it.
        seed: the run's.
        data_dir: `data` in the current directory by default.
        datestamp: whether to put date and time in the names.
    """
    now = time.localtime()
    folder = Path(data_dir or DATA_DIR) / (
        f"{time.strftime('%Y-%m-%d', now)}_{exp_name}" if datestamp else exp_name
    )
    if seed is not None:
        stamp = f"{time.strftime('%Y-%m-%d_%H-%M-%S', now)}-" if datestamp else ""
        folder /= f"{stamp}{exp_name}_s{seed}"
    return {"output_dir": str(folder), "exp_name": exp_name}


class Logger:
    """Writes a run's figures.

    Args:
        output_dir: where to; a new folder below the system's temporary one by default.
        output_fname: name of the table.
        exp_name: see `setup_logger_kwargs`.
        stream: where the tables go; stdout by default.
    """

    def __init__(
        self,
        output_dir: str | Path | None = None,
        output_fname: str = "progress.txt",
        exp_name: str | None = None,
        stream: TextIO | Any = None,
    ):
        self._stream: Any = sys.stdout if stream is None else stream
        self._exp_name = exp_name
        if output_dir is None:
            experiments = Path(tempfile.gettempdir()) / "experiments"
            experiments.mkdir(exist_ok=True)
            output_dir = tempfile.mkdtemp(dir=experiments)
        self.output_dir = Path(output_dir)
        self._columns: list[str] | None = None
        path = self.output_dir / output_fname
        try:
            self.output_dir.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self.log(f"Warning: {path} is there already and is written anew.")
            self._table = path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise AmbleError(
                f"{path}: cannot be written ({error.strerror}). Name another output_dir in logger_kwargs."
            ) from error
        self.log(f"Logging data to {path}")

    def log(self, message: str) -> None:
        """One line on the stream."""
        self._stream.write(message + "\n")
        self._stream.flush()

    def save_config(self, arguments: Mapping[str, Any]) -> None:
        """Write `config.json`: the arguments, functions and classes by their names."""
        config = {name: readable(value) for name, value in arguments.items()}
        if self._exp_name is not None:
            config["exp_name"] = self._exp_name
        files.write_file(self.output_dir / "config.json", json.dumps(config, indent=4, sort_keys=True))

    def epoch(self, row: Mapping[str, float | int]) -> None:
        """One line in the table, and the same as a table on the stream; the first row gives the columns."""
        if self._columns is None:
            self._columns = list(row)
            self._table.write("\t".join(self._columns) + "\n")
        self._table.write("\t".join(str(row[name]) for name in self._columns) + "\n")
        self._table.flush()
        width = max(15, *map(len, row))
        lines = [f"| {name:>{width}} | {value:15.6g} |" for name, value in row.items()]
        rule = "-" * (width + 22)
        self.log("\n".join([rule, *lines, rule]))

    def close(self) -> None:
        """Close the table."""
        self._table.close()


def check_logger_kwargs(function: str, logger_kwargs: Mapping[str, Any]) -> None:
    """Raise a UsageError that names what Logger does not take."""
    known = ("output_dir", "output_fname", "exp_name", "stream")
    for name in logger_kwargs:
        if name not in known:
            raise UsageError(
                f"{function}: logger_kwargs has `{name}`, expected {', '.join(known)}. "
                "setup_logger_kwargs(exp_name, seed) gives what is needed."
            )


def statistics(name: str, values: Sequence[float]) -> dict[str, float]:
    """Spinning Up's four columns of one figure; NaN where there is no value, as in an epoch that ends no episode."""
    if not len(values):
        return dict.fromkeys((f"Average{name}", f"Std{name}", f"Max{name}", f"Min{name}"), float("nan"))
    numbers = np.asarray(values, dtype=np.float64)
    return {
        f"Average{name}": float(numbers.mean()),
        f"Std{name}": float(numbers.std()),
        f"Max{name}": float(numbers.max()),
        f"Min{name}": float(numbers.min()),
    }


def readable(value: Any) -> Any:
    """`value` as JSON, for people to read: what JSON does not know is written as its name or its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [readable(item) for item in value]
    return getattr(value, "__name__", None) or str(value)
