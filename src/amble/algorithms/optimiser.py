"""Adam with a limit on the gradient, that takes no step it could not take back."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from amble.algorithms.adam import Adam


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
        self.adam = Adam(self.parameters, learning_rate, epsilon)

    @property
    def learning_rate(self) -> float:
        """α of the next step."""
        return self.adam.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.adam.learning_rate = rate

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
        self.adam.forget_gradient()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.parameters, self.limit))
        # min and clamp pass no gradient for a NaN: a NaN loss can come with a gradient that looks sound.
        return norm, norm < float("inf") and bool(torch.isfinite(loss))

    def begin(self) -> None:
        """Make Adam's statistics now, where its first step would."""
        self.adam.begin()

    def is_finite(self) -> bool:
        """Whether every parameter is."""
        return all(bool(torch.isfinite(p).all()) for p in self.parameters)

    def snapshot(self) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The parameters and the moments, to go back to."""
        return [p.detach().clone() for p in self.parameters], {
            name: value.clone() for name, value in self.tensors().items()
        }

    @torch.no_grad()
    def go_back(self, snapshot: tuple[list[Tensor], dict[str, Tensor]]) -> None:
        """Undo every step since `snapshot`; α stays, since what has to be undone was no reason to raise it again."""
        for parameter, saved in zip(self.parameters, snapshot[0], strict=True):
            parameter.copy_(saved)
        self.restore(snapshot[1])

    def tensors(self) -> dict[str, Tensor]:
        """Moments and step counts (the tensors themselves), by place in `parameters`."""
        return {
            f"{place}.{name}": value
            for place, parameter in enumerate(self.parameters)
            for name, value in self.adam.state.get(parameter, {}).items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        self.adam.state.clear()
        for key, value in tensors.items():
            place, name = key.split(".", 1)
            parameter = self.parameters[int(place)]
            self.adam.state.setdefault(parameter, {})[name] = value.to(parameter.device)
