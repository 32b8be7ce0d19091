"""Adam. Kingma, Ba 2015, arXiv:1412.6980, algorithm 1.

The step is torch's own kernel, the one behind `torch.optim.Adam(fused=True)`. That class is not used, for it brings
torch's compiler with it: 1.5 s of imports at the start of every run, and 80 MB.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_BETA1, _BETA2 = 0.9, 0.999


class Adam:
    """θ ← θ - α m̂ / (√v̂ + ε), m and v being running means of g and g², without the bias of their start at 0.

    Attributes:
        learning_rate: α of the next step.
        state: of each parameter that was stepped, `step` (how often), `exp_avg` (m) and `exp_avg_sq` (v).
    """

    def __init__(self, parameters: Sequence[nn.Parameter], learning_rate: float, epsilon: float):
        self.parameters, self.learning_rate, self.epsilon = list(parameters), learning_rate, epsilon
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}

    def begin(self, parameters: Sequence[nn.Parameter] | None = None) -> None:
        """Make the statistics of `parameters` (all if None) now, where their first step would."""
        for parameter in self.parameters if parameters is None else parameters:
            if parameter not in self.state:
                self.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }

    def forget_gradient(self) -> None:
        """No parameter has a gradient."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        moved = [parameter for parameter in self.parameters if parameter.grad is not None]
        if not moved:
            return
        self.begin(moved)
        state = [self.state[parameter] for parameter in moved]
        steps = [moments["step"] for moments in state]
        torch._foreach_add_(steps, 1)  # pyright: ignore[reportPrivateImportUsage]
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage]
            list[Tensor](moved),
            [parameter.grad for parameter in moved if parameter.grad is not None],
            [moments["exp_avg"] for moments in state],
            [moments["exp_avg_sq"] for moments in state],
            [],
            steps,
            lr=self.learning_rate,
            beta1=_BETA1,
            beta2=_BETA2,
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )
