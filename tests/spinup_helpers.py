"""What the tests of Spinning Up's interface share; importable by name, so that other processes find it too."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import gymnasium
import torch
from torch import nn
from torch.distributions import Normal

import probes

assert probes

SMALL = {
    "ac_kwargs": {"hidden_sizes": (16,)},
    "steps_per_epoch": 64,
    "vf_lr": 1e-2,
    "gamma": 0.9,
}


def probe(name: str, **kwargs: Any):
    return lambda: gymnasium.make(f"probes:{name}-v0", disable_env_checker=True, **kwargs)


def quiet(folder: Path) -> dict[str, Any]:
    return {"output_dir": folder, "exp_name": "test", "stream": io.StringIO()}


def progress(folder: Path) -> list[dict[str, float]]:
    with (folder / "progress.txt").open() as table:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(table, delimiter="\t")
        ]


class OneNumber(nn.Module):
    """An actor-critic as users write them: its own nets, and nothing but `pi`, `v` and `step`."""

    class Pi(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = nn.Parameter(torch.zeros(1))

        def forward(self, obs: torch.Tensor, act: torch.Tensor | None = None):
            pi = Normal(self.mean.expand(*obs.shape[:-1], 1), 0.3)
            return pi, None if act is None else pi.log_prob(act).sum(-1)

    class V(nn.Module):
        def __init__(self, bias: float) -> None:
            super().__init__()
            self.value = nn.Parameter(torch.tensor(bias))

        def forward(self, obs: torch.Tensor) -> torch.Tensor:
            return self.value.expand(obs.shape[:-1])

    def __init__(self, observation_space: Any, action_space: Any, bias: float = 0.0) -> None:
        super().__init__()
        self.pi, self.v = self.Pi(), self.V(bias)

    def step(self, obs: torch.Tensor):
        with torch.no_grad():
            pi, _ = self.pi(obs)
            act = pi.sample()
            return act.numpy(), self.v(obs).numpy(), pi.log_prob(act).sum(-1).numpy()


def fragile(seed: int, logger_kwargs: dict[str, str], how: str) -> None:
    """A thunk that does what it is told."""
    Path(logger_kwargs["output_dir"]).mkdir(parents=True, exist_ok=True)
    if how == "raise":
        raise RuntimeError("told to raise")
    if how == "vanish":
        os._exit(7)
    (Path(logger_kwargs["output_dir"]) / "done").write_text(how)
