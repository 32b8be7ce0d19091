"""The lecture's ladder E10 to E16: one gradient E9, many weights Φ_t. Axes: T decisions, B environments.

∇J = E[ Σ_t ∇log π(a_t|s_t) Φ_t ], and every rung is one function that gives Φ:

| rung         | Φ_t                                    | id  | function                    | carries on past a cut |
|--------------|----------------------------------------|-----|-----------------------------|-----------------------|
| total_return | R(τ)                                   | E10 | `total_return`              | no                    |
| reward_to_go | Σ_{t'≥t} γ^{t'-t} r_{t'}               | E11 | `returns.reward_to_go`      | no                    |
| baseline     | Σ_{t'≥t} γ^{t'-t} r_{t'} - V(s_t)      | E12 | `baseline`                  | with γ V              |
| q            | Q(s_t, a_t)                            | E13 | `q_weight`                  | needs no rewards      |
| advantage    | Q(s_t, a_t) - V(s_t)                   | E14 | `advantage_weight`          | needs no rewards      |
| td           | r_t + γ V(s_{t+1}) - V(s_t)            | E15 | `advantages.td_error`       | with γ V              |
| gae          | Σ_l (γλ)^l δ_{t+l}                     | E16 | `advantages.gae`            | with γ V              |

The first two know nothing of what a time limit or the rollout's end cuts off, so they are right only for whole
episodes; `baseline`, `td` and `gae` take V of the state after the cut in its place.

γ < 1: R(τ) discounts from the start of the episode, all other weights from decision t on. For these the gradient of
the discounted J itself has γ^t before the term of decision t; practice leaves it out, and so do the algorithms here.
`tests/maths/test_exact_gradients.py` shows all seven against gradients that are known exactly.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from amble.maths.advantages import gae, td_error
from amble.maths.returns import reward_to_go

Estimator = Literal["total_return", "reward_to_go", "baseline", "q", "advantage", "td", "gae"]


def total_return(
    reward: Float[Tensor, "T B"], done: Bool[Tensor, "T B"], gamma: float
) -> Float[Tensor, "T B"]:
    """E10: Φ_t = R(τ) = Σ_k γ^k r_{start+k}, the same for every decision of the trajectory τ that t lies in.

    A trajectory is the stretch from one episode's end to the next within the rollout; one that is still under way
    when the rollout begins or ends is taken for the part that lies inside.

    Args:
        reward: r_t.
        done: whether an episode ended with decision t.
        gamma: γ.
    """
    to_go = reward_to_go(reward, done, gamma)
    whole = to_go.clone()
    for t in range(1, len(reward)):
        whole[t] = torch.where(done[t - 1], to_go[t], whole[t - 1])
    return whole


def baseline(
    reward: Float[Tensor, "T B"],
    value: Float[Tensor, "T B"],
    next_value: Float[Tensor, "T B"],
    terminated: Bool[Tensor, "T B"],
    truncated: Bool[Tensor, "T B"],
    *,
    gamma: float,
) -> Float[Tensor, "T B"]:
    """E12: Φ_t = Σ_{t'≥t} γ^{t'-t} r_{t'} - V(s_t), with the state's value as the baseline b(s_t).

    This is E16 with λ = 1: where an episode or the rollout was cut, γ^k V of the state behind the cut stands for the
    rewards that are missing. Arguments as in `gae`.
    """
    return gae(reward, value, next_value, terminated, truncated, gamma=gamma, lam=1.0)


def q_weight(q: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """E13: Φ_t = Q(s_t, a_t), as a number: no gradient of the policy's loss reaches the critic."""
    return q.detach()


def advantage_weight(q: Float[Tensor, "*n"], value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """E14: Φ_t = A(s_t, a_t) = Q(s_t, a_t) - V(s_t), E7, as a number like `q_weight`."""
    return (q - value).detach()


def weight(
    estimator: Estimator,
    *,
    reward: Float[Tensor, "T B"],
    value: Float[Tensor, "T B"],
    next_value: Float[Tensor, "T B"],
    q: Float[Tensor, "T B"],
    terminated: Bool[Tensor, "T B"],
    truncated: Bool[Tensor, "T B"],
    gamma: float,
    lam: float,
) -> Float[Tensor, "T B"]:
    """Φ_t of the rung called `estimator`; whoever compares rungs on one rollout has all of these.

    Args:
        estimator: name of the rung.
        reward: r_t.
        value: V(s_t).
        next_value: V of the state that decision t led to; at a truncation that of the final observation.
        q: Q(s_t, a_t).
        terminated: the episode ended in a terminal state with decision t.
        truncated: the episode was cut with decision t.
        gamma: γ.
        lam: λ, read by gae only.
    """
    done = terminated | truncated
    match estimator:
        case "total_return":
            phi = total_return(reward, done, gamma)
        case "reward_to_go":
            phi = reward_to_go(reward, done, gamma)
        case "baseline":
            phi = baseline(reward, value, next_value, terminated, truncated, gamma=gamma)
        case "q":
            phi = q_weight(q)
        case "advantage":
            phi = advantage_weight(q, value)
        case "td":
            phi = td_error(reward, value, next_value, terminated, gamma)
        case "gae":
            phi = gae(reward, value, next_value, terminated, truncated, gamma=gamma, lam=lam)
    return phi
