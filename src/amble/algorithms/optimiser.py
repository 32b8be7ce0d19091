"""Adam with a limit on the gradient, that takes no step it could not take back."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Optimiser:
    """Adam over some parameters."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        *,
        epsilon: float,
        max_grad_norm: float | None,
    ):
        self.parameters = list(parameters)
        self.limit = float("inf") if max_grad_norm is None else max_grad_norm
        self.adam = torch.optim.Adam(self.parameters, lr=learning_rate, eps=epsilon, fused=True)

    @property
    def learning_rate(self) -> float:
        """α of the next step."""
        return self.adam.param_groups[0]["lr"]

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = rate

    def step(self, loss: Tensor) -> tuple[float, bool]:
        """One step down the loss; left out, moments untouched, where the loss or its gradient is not finite.

        Returns:
            The gradient's norm before it was limited, and whether the step was taken.
        """
        norm, finite = self.gradient(loss)
        if finite:
            self.adam.step()
        return norm, finite

    def gradient(self, loss: Tensor) -> tuple[float, bool]:
        """The loss's gradient, limited, in each parameter's `grad`; its norm before that, and whether all is finite."""
        self.adam.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.parameters, self.limit))
        # min and clamp pass no gradient for a NaN: a NaN loss can come with a gradient that looks sound.
        return norm, norm < float("inf") and bool(torch.isfinite(loss))

    def begin(self) -> None:
        """Make Adam's statistics now, where its first step would."""
        for parameter in self.parameters:
            if not self.adam.state[parameter]:
                self.adam.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }

    def is_finite(self) -> bool:
        """Whether every parameter is."""
        return all(bool(torch.isfinite(p).all()) for p in self.parameters)

    def snapshot(self) -> tuple[list[Tensor], dict[str, Any]]:
        """The parameters and the moments, to go back to."""
        adam = self.adam.state_dict()
        # Cloned by hand: deepcopy takes ten times as long, as long as a dozen gradient steps of a small network.
        state = {
            place: {name: x.clone() for name, x in moments.items()}
            for place, moments in adam["state"].items()
        }
        return [p.detach().clone() for p in self.parameters], {
            "state": state,
            "param_groups": copy.deepcopy(adam["param_groups"]),
        }

    @torch.no_grad()
    def go_back(self, snapshot: tuple[list[Tensor], dict[str, Any]]) -> None:
        """Undo every step since `snapshot`; α stays, since what has to be undone was no reason to raise it again."""
        for parameter, saved in zip(self.parameters, snapshot[0], strict=True):
            parameter.copy_(saved)
        rate = self.learning_rate
        self.adam.load_state_dict(snapshot[1])
        self.learning_rate = rate

    def tensors(self) -> dict[str, Tensor]:
        """Moments and step counts, by place in `parameters`."""
        state = self.adam.state_dict()["state"]
        return {
            f"{place}.{name}": value for place, moments in state.items() for name, value in moments.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            place, name = key.split(".", 1)
            state.setdefault(int(place), {})[name] = value
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": state, "param_groups": groups})
