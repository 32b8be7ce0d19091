"""ML-Agents' schedules, by hand."""

import pytest

from amble.maths.schedules import scheduled


@pytest.mark.parametrize(
    ("initial", "final", "step", "expected"),
    [
        (3e-4, 1e-10, 0, 3e-4),
        (3e-4, 1e-10, 500, 1.5e-4 + 0.5e-10),
        (3e-4, 1e-10, 1000, 1e-10),
        (0.2, 0.1, 250, 0.175),  # 0.1·(1 - ¼) + 0.1
        (0.2, 0.1, 1000, 0.1),
        (5e-3, 1e-5, 1000, 1e-5),
        (5e-3, 1e-5, 5000, 1e-5),  # a rollout that passes the end does not turn the sign
    ],
)
def test_linear(initial: float, final: float, step: int, expected: float) -> None:
    assert scheduled("linear", initial, final, step, 1000) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("step", [0, 500, 1000, 2000])
def test_constant(step: int) -> None:
    assert scheduled("constant", 3e-4, 1e-10, step, 1000) == 3e-4
