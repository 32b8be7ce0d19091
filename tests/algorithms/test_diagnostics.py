"""What a rollout is still worth to the policy after an update: E18, E19."""

import math

import pytest
import torch

from amble.algorithms.diagnostics import ImportanceDiagnostics
from amble.maths.flat import assign, flatten
from factories import POLICIES, a_policy, a_rollout, rng

VARIANCES = ("ratio_variance", "predicted_ratio_variance", "importance_kl")


@pytest.mark.parametrize("kind", POLICIES)
def test_before_any_step_it_is_worth_all(kind: str) -> None:
    policy = a_policy(**POLICIES[kind])
    rollout = a_rollout(policy)
    found = ImportanceDiagnostics(policy, rollout.as_samples(rollout.reward)).figures()
    assert found["effective_sample_size"] == pytest.approx(1, abs=1e-6)
    for name in VARIANCES:
        assert found[name] == pytest.approx(0, abs=1e-6), name


@pytest.mark.parametrize("kind", POLICIES)
def test_the_further_the_step_the_less_it_is_worth(kind: str) -> None:
    """Along one direction, the worth falls and all variances rise with every step."""
    policy = a_policy(**POLICIES[kind])
    rollout = a_rollout(policy, t=128)
    diagnostics = ImportanceDiagnostics(policy, rollout.as_samples(rollout.reward))
    parameters = list(policy.parameters())
    start = flatten(parameters).detach().clone()
    direction = torch.randn(len(start), generator=rng(3))
    direction[: policy.head.dimensions] = 0  # log σ of a Gaussian: its variance is infinite a factor √2 away
    rows = []
    for length in (0.0, 0.02, 0.05, 0.1, 0.15):
        assign(parameters, start + length * direction)
        rows.append(diagnostics.figures())
    worth = [row["effective_sample_size"] for row in rows]
    assert worth == sorted(worth, reverse=True)
    assert worth[-1] < 0.97
    for name in VARIANCES:
        column = [row[name] for row in rows]
        assert column == sorted(column), name
        assert column[-1] > 0.01, name


def test_a_shift_of_the_mean_in_numbers() -> None:
    """σ = 1, two means moved by ½: KL = ½ (¼ + ¼) = ¼, Var ρ = exp(¼ + ¼) - 1, worth about 1 / (1 + Var ρ)."""
    policy = a_policy()
    rollout = a_rollout(policy, t=500)
    diagnostics = ImportanceDiagnostics(policy, rollout.as_samples(rollout.reward))
    with torch.no_grad():
        policy.actor[-1].bias += 0.5
    found = diagnostics.figures()
    assert found["predicted_ratio_variance"] == pytest.approx(math.exp(0.5) - 1, rel=1e-4)
    assert found["ratio_variance"] == pytest.approx(math.exp(0.5) - 1, rel=0.3)
    assert found["importance_kl"] == pytest.approx(0.25, rel=0.1)
    assert found["effective_sample_size"] == pytest.approx(math.exp(-0.5), rel=0.1)


def test_a_large_rollout_is_thinned_out_evenly() -> None:
    policy = a_policy()
    rollout = a_rollout(policy, t=1024, b=8)
    diagnostics = ImportanceDiagnostics(policy, rollout.as_samples(rollout.reward))
    assert len(diagnostics.samples) == 2048
    assert torch.equal(diagnostics.samples.observation, rollout.observation.flatten(0, 1)[::4])
