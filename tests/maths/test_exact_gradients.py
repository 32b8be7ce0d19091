"""E9 to E16 on decision processes so small that ∇J is known exactly: every rung estimates it, and at what variance.

Axes: T decisions, B columns, N episodes, S = 3 states, A = 2 actions. The policy is a softmax over a table θ of
logits, so ∂ log π(a|s) / ∂θ[s, ·] = onehot(a) - π(·|s). Values are exact, so that what remains is the estimator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from amble.maths.advantages import td_error
from amble.maths.estimators import Estimator, weight
from amble.maths.returns import reward_to_go

ESTIMATORS = get_args(Estimator)
LAM = 0.7
MARGIN = 1.1
"""How many times more one rung must vary than the next; the variances themselves are known to about 1 %."""
ERRORS = 4.0
"""Standard errors a component may be off: 84 of them come up by chance once in 200 seeds, and the seed is fixed."""
FAR = 10.0
"""Standard errors that a wrong estimate is off at least."""


@dataclass(frozen=True)
class Episodes:
    """Rollouts whose columns hold whole episodes, one after the other, with the exact gradient of J."""

    state: Tensor  # T B
    action: Tensor  # T B
    reward: Tensor  # T B
    terminated: Tensor  # T B
    value: Tensor  # T B: V(s_t)
    next_value: Tensor  # T B: V of the state that decision t led to
    q: Tensor  # T B: Q(s_t, a_t)
    policy: Tensor  # S A
    discount: Tensor  # T B: γ^t counted from the episode's start; 0 where an episode does not count
    episode: Tensor  # T B: the number of the episode
    gradient: Tensor  # S A: ∇J
    gamma: float


def world(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Transitions (S A S), rewards (S A S) and logits (S A), all random; rewards are mostly positive."""
    rng = torch.Generator().manual_seed(seed)
    transition = torch.rand(3, 2, 3, generator=rng, dtype=torch.float64) ** 2
    reward = 1 + torch.randn(3, 2, 3, generator=rng, dtype=torch.float64)
    theta = torch.randn(3, 2, generator=rng, dtype=torch.float64)
    return transition / transition.sum(-1, keepdim=True), reward, theta


def draw(prob: Tensor, rng: torch.Generator) -> Tensor:
    return torch.multinomial(prob, 1, generator=rng)[:, 0]


@cache
def five_decisions(columns: int = 100_000) -> Episodes:
    """Episodes of 5 decisions, γ = 1, two in every column; V depends on how many decisions are left."""
    horizon = 5
    transition, reward, theta = world(0)
    theta.requires_grad_()
    policy = theta.softmax(-1)
    values, qs = [torch.zeros(3, dtype=torch.float64)], []
    for _ in range(horizon):  # backwards: Q_t = E[r + V_{t+1}], V_t = Σ_a π Q_t
        qs.insert(0, (transition * (reward + values[0])).sum(-1))
        values.insert(0, (policy * qs[0]).sum(-1))
    (gradient,) = torch.autograd.grad(values[0].mean(), theta)  # the start is uniform over the states
    value_of, q_of, pi = torch.stack(values).detach(), torch.stack(qs).detach(), policy.detach()

    rng = torch.Generator().manual_seed(1)
    rows: list[list[Tensor]] = []
    for episode in range(2):
        s = torch.randint(3, (columns,), generator=rng)
        for t in range(horizon):
            a = draw(pi[s], rng)
            s_tp1 = draw(transition[s, a], rng)
            rows.append(
                [
                    s,
                    a,
                    reward[s, a, s_tp1],
                    torch.full((columns,), t == horizon - 1),
                    value_of[t, s],
                    value_of[t + 1, s_tp1],
                    q_of[t, s, a],
                    episode * columns + torch.arange(columns),
                ]
            )
            s = s_tp1
    state, action, r, terminated, value, next_value, q, number = map(torch.stack, zip(*rows, strict=True))
    return Episodes(
        state, action, r, terminated, value, next_value, q,
        policy=pi, discount=torch.ones_like(r), episode=number, gradient=gradient, gamma=1.0,
    )  # fmt: skip


@cache
def until_it_ends(columns: int = 40_000) -> Episodes:
    """Episodes that end with a chance of 0.3 after each decision, γ = 0.9; V = (1 - γ P_π)⁻¹ r_π.

    A column goes on with the next episode, as a rollout does; only its first counts, since a rollout's first T
    decisions hold more of the short episodes than of the long ones. 0.7^32 = 1e-5 of the first are cut, at γ^32 = 3 %.
    """
    gamma, ends, length = 0.9, 0.3, 32
    transition, reward, theta = world(2)
    theta.requires_grad_()
    policy = theta.softmax(-1)
    r_pi = (policy[..., None] * transition * reward).sum((1, 2))
    p_pi = (policy[..., None] * transition).sum(1)
    v = torch.linalg.solve(torch.eye(3, dtype=torch.float64) - gamma * (1 - ends) * p_pi, r_pi)
    (gradient,) = torch.autograd.grad(v.mean(), theta)
    v, pi = v.detach(), policy.detach()
    q_of = (transition * (reward + gamma * (1 - ends) * v)).sum(-1)

    rng = torch.Generator().manual_seed(3)
    s, age = torch.randint(3, (columns,), generator=rng), torch.zeros(columns)
    number = torch.zeros(columns, dtype=torch.long)
    rows: list[list[Tensor]] = []
    for _ in range(length):
        a = draw(pi[s], rng)
        s_tp1 = draw(transition[s, a], rng)
        terminated = torch.rand(columns, generator=rng) < ends
        discount = torch.where(number == 0, gamma**age, 0.0)
        rows.append([s, a, reward[s, a, s_tp1], terminated, v[s], v[s_tp1], q_of[s, a], discount])
        s = torch.where(terminated, torch.randint(3, (columns,), generator=rng), s_tp1)
        age, number = torch.where(terminated, 0.0, age + 1), number + terminated
    state, action, r, terminated, value, next_value, q, discount = map(torch.stack, zip(*rows, strict=True))
    return Episodes(
        state, action, r, terminated, value, next_value, q,
        policy=pi, discount=discount, episode=torch.arange(columns).expand(length, columns), gradient=gradient,
        gamma=gamma,
    )  # fmt: skip


WORLDS: list[Callable[[], Episodes]] = [five_decisions, until_it_ends]


def phi(name: Estimator, data: Episodes, **instead: Tensor) -> Tensor:
    tensors = {
        "reward": data.reward,
        "value": data.value,
        "next_value": data.next_value,
        "q": data.q,
        "terminated": data.terminated,
        "truncated": torch.zeros_like(data.terminated),
    }
    return weight(name, **{**tensors, **instead}, gamma=data.gamma, lam=LAM)


def estimates(data: Episodes, phi_t: Tensor, discount: Tensor) -> Tensor:
    """Σ_t γ^t ∇ log π(a_t|s_t) Φ_t of every episode: N x (S·A)."""
    score = one_hot(data.action, 2) - data.policy[data.state]  # T B A
    each = (discount * phi_t)[..., None] * score
    place = (data.episode * 3 + data.state).flatten()
    found = torch.zeros((int(data.episode.max()) + 1) * 3, 2, dtype=torch.float64)
    return found.index_add_(0, place, each.flatten(0, 1)).reshape(-1, 6)


def of(name: Estimator, data: Episodes) -> Tensor:
    """The estimates of a rung. R(τ) is discounted from the start already, so its terms carry no γ^t of their own."""
    discount = (data.discount > 0).double() if name == "total_return" else data.discount
    return estimates(data, phi(name, data), discount)


def deviation(found: Tensor, truth: Tensor) -> float:
    """How many standard errors the worst component of the mean is away from the truth."""
    error = found.std(0) / len(found) ** 0.5
    return float(((found.mean(0) - truth.flatten()).abs() / error).max())


@pytest.mark.parametrize("make", WORLDS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_rung_estimates_the_true_gradient(make: Callable[[], Episodes], name: Estimator) -> None:
    data = make()
    assert data.gradient.abs().min() > 0.01
    assert deviation(of(name, data), data.gradient) < ERRORS


@pytest.mark.parametrize("make", WORLDS)
class TestWhatIsWrongIsSeen:
    """The test above fails on these, by far."""

    def test_reward_to_go_that_misses_the_decisions_own_reward(self, make: Callable[[], Episodes]) -> None:
        data = make()
        shifted = reward_to_go(data.reward, data.terminated, data.gamma) - data.reward
        assert deviation(estimates(data, shifted, data.discount), data.gradient) > FAR

    def test_the_state_itself_where_the_next_one_belongs(self, make: Callable[[], Episodes]) -> None:
        data = make()
        wrong = td_error(data.reward, data.value, data.value, data.terminated, data.gamma)
        assert deviation(estimates(data, wrong, data.discount), data.gradient) > FAR

    def test_rewards_of_the_next_episode_only_add_noise(self, make: Callable[[], Episodes]) -> None:
        """What comes after the end is independent of the action before it: no bias, only variance."""
        data = make()
        leaking = reward_to_go(data.reward, torch.zeros_like(data.terminated), data.gamma)
        found = estimates(data, leaking, data.discount)
        assert deviation(found, data.gradient) < ERRORS
        assert found.var(0).sum() > 1.05 * of("reward_to_go", data).var(0).sum()

    def test_a_wrong_critic_biases_td_but_not_the_baseline(self, make: Callable[[], Episodes]) -> None:
        """E17: any b(s) does as a baseline. A bootstrap must be true: that is the bias for which variance is traded."""
        data = make()
        wrong = torch.tensor([3.0, -1.0, 0.5], dtype=torch.float64)
        values = {"value": wrong[data.state], "next_value": wrong[data.state].roll(-1, 0)}
        baseline = estimates(data, phi("baseline", data, **values), data.discount)
        td = estimates(data, phi("td", data, **values), data.discount)
        assert deviation(baseline, data.gradient) < ERRORS
        assert deviation(td, data.gradient) > FAR


def test_without_gamma_to_the_t_it_is_another_gradient() -> None:
    """What practice does with γ < 1 is not the gradient of the discounted J; see the note in `estimators`."""
    data = until_it_ends()
    undiscounted = estimates(data, phi("gae", data), (data.discount > 0).double())
    assert deviation(undiscounted, data.gradient) > FAR


@pytest.mark.parametrize("make", WORLDS)
def test_the_variance_falls_down_the_ladder(make: Callable[[], Episodes]) -> None:
    """Monte Carlo weights vary the most; each thing that is known rather than sampled takes variance away.

    R(τ) > G_t > G_t - V (E12) > GAE > TD > Q - V; and Q alone lies between G_t and Q - V.
    """
    data = make()
    variance = {name: float(of(name, data).var(0).sum()) for name in ESTIMATORS}
    ladder = ["total_return", "reward_to_go", "baseline", "gae", "td", "advantage"]
    for above, below in pairwise(ladder):
        assert variance[above] > MARGIN * variance[below], (above, below, variance)
    assert variance["reward_to_go"] > MARGIN * variance["q"]
    assert variance["q"] > MARGIN * variance["advantage"]


class TestACut:
    """E[Φ_t | s, a] = A(s, a) wherever the time limit falls, if V of the state behind the cut stands for the rest."""

    def error(self, name: Estimator) -> tuple[Tensor, Tensor]:
        """Mean of Φ - A for each state and action, and the standard error of that mean."""
        data = until_it_ends()
        rng = torch.Generator().manual_seed(4)
        # The columns go on behind a cut rather than begin anew, which changes nothing for what came before it.
        truncated = (torch.rand(data.reward.shape, generator=rng) < 0.3) & ~data.terminated
        found = phi(name, data, truncated=truncated) - (data.q - data.value)
        # Decisions so far apart that an end or a cut lies between them; the last one is cut by the rollout's end.
        places = [0, 10, len(found) - 1]
        pair = (data.state * 2 + data.action)[places].flatten()
        groups = [found[places].flatten()[pair == k] for k in range(6)]
        return (
            torch.stack([group.mean() for group in groups]),
            torch.stack([group.std() / len(group) ** 0.5 for group in groups]),
        )

    @pytest.mark.parametrize("name", ["baseline", "td", "gae"])
    def test_no_advantage_is_lost(self, name: Estimator) -> None:
        mean, error = self.error(name)
        assert (mean.abs() < ERRORS * error).all()

    def test_reward_to_go_loses_what_was_cut_off(self) -> None:
        """It should be A + V, and comes out smaller by what the values behind the cuts are worth."""
        mean, error = self.error("reward_to_go")
        value = torch.stack([until_it_ends().value[until_it_ends().state == s][0] for s in range(3)])
        lost = value.repeat_interleave(2) - mean
        assert (lost > FAR * error).all()
