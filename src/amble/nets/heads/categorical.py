"""Heads that choose: one choice, several at once, or several yes-or-no. Axes: n samples, K logits, D branches.

`masked` takes a mask of the logits' shape, nonzero where allowed. A logit that is not allowed becomes -1e8, a number
that softmax turns to exactly 0 and that leaves every gradient finite. Source: ML-Agents and Huang, Ontañón 2020,
arXiv:2006.14171 ("invalid action masking").
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from amble.maths import bernoulli, categorical
from amble.maths.importance import predicted_ratio_variance_categorical

_NEVER = -1e8


class CategoricalHead(nn.Module):
    """One choice among K, with the net's outputs as logits."""

    action_shape: tuple[int, ...] = ()
    action_dtype = torch.int64
    dimensions = 1

    def __init__(self, choices: int):
        super().__init__()
        self.outputs = self.noise_size = choices

    def masked(self, output: Float[Tensor, "*n K"], mask: Shaped[Tensor, "*n K"]) -> Float[Tensor, "*n K"]:
        """The logits with what is not allowed at -1e8; a mask that allows nothing is taken to allow everything."""
        return _masked(output, mask)

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n K"]:
        """Gumbel noise, -log(-log u) with u uniform."""
        return _gumbel((*shape, self.noise_size), rng)

    def sample(self, output: Float[Tensor, "*n K"], noise: Float[Tensor, "*n K"]) -> Int[Tensor, "*n"]:
        """argmax(logits + Gumbel noise) is a sample of softmax(logits)."""
        return (output + noise).argmax(dim=-1)

    def mode(self, output: Float[Tensor, "*n K"]) -> Int[Tensor, "*n"]:
        """The likeliest choice."""
        return output.argmax(dim=-1)

    def log_probs(self, output: Float[Tensor, "*n K"], action: Int[Tensor, "*n"]) -> Float[Tensor, "*n 1"]:
        """log softmax(logits)[a]."""
        return categorical.log_density(action, categorical.log_probs(output)).unsqueeze(-1)

    def entropies(self, output: Float[Tensor, "*n K"]) -> Float[Tensor, "*n 1"]:
        """-Σ p log p."""
        return categorical.entropy(categorical.log_probs(output)).unsqueeze(-1)

    def distribution(self, output: Float[Tensor, "*n K"]) -> Float[Tensor, "*n K"]:
        """log p of every choice."""
        return categorical.log_probs(output)

    def kl(self, p: Float[Tensor, "*n K"], q: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
        """D_KL(p ‖ q)."""
        return categorical.kl_divergence(p, q)

    def ratio_variance(self, p: Float[Tensor, "*n K"], q: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
        """Var_{a~q}[p/q] in closed form."""
        return predicted_ratio_variance_categorical(p, q)


class MultiCategoricalHead(nn.Module):
    """D independent choices, branch d among choices[d]; the net's K outputs are the branches' logits in turn."""

    action_dtype = torch.int64

    def __init__(self, choices: list[int]):
        super().__init__()
        self.choices = choices
        self.outputs = self.noise_size = sum(choices)
        self.dimensions = len(choices)
        self.action_shape = (len(choices),)

    def masked(self, output: Float[Tensor, "*n K"], mask: Shaped[Tensor, "*n K"]) -> Float[Tensor, "*n K"]:
        """The logits with what is not allowed at -1e8; a branch that allows nothing is taken to allow everything."""
        branches = zip(self._split(output), self._split(mask), strict=True)
        return torch.cat([_masked(logits, allowed) for logits, allowed in branches], dim=-1)

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n K"]:
        """Gumbel noise for every logit."""
        return _gumbel((*shape, self.noise_size), rng)

    def sample(self, output: Float[Tensor, "*n K"], noise: Float[Tensor, "*n K"]) -> Int[Tensor, "*n D"]:
        """argmax(logits + Gumbel noise) of each branch."""
        return self.mode(output + noise)

    def mode(self, output: Float[Tensor, "*n K"]) -> Int[Tensor, "*n D"]:
        """The likeliest choice of each branch, and of the branches together."""
        return torch.stack([logits.argmax(dim=-1) for logits in self._split(output)], dim=-1)

    def log_probs(self, output: Float[Tensor, "*n K"], action: Int[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """log p of each branch's choice."""
        log_p = self._split(self.distribution(output))
        each = [categorical.log_density(action[..., d], log_p[d]) for d in range(self.dimensions)]
        return torch.stack(each, dim=-1)

    def entropies(self, output: Float[Tensor, "*n K"]) -> Float[Tensor, "*n D"]:
        """-Σ p log p of each branch."""
        log_p = self._split(self.distribution(output))
        return torch.stack([categorical.entropy(branch) for branch in log_p], dim=-1)

    def distribution(self, output: Float[Tensor, "*n K"]) -> Float[Tensor, "*n K"]:
        """log p of every choice, each branch's summing to 1."""
        return torch.cat([categorical.log_probs(logits) for logits in self._split(output)], dim=-1)

    def kl(self, p: Float[Tensor, "*n K"], q: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
        """D_KL(p ‖ q), the sum of the branches': each is a sum over its choices, so one sum over all does."""
        return categorical.kl_divergence(p, q)

    def ratio_variance(self, p: Float[Tensor, "*n K"], q: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
        """Var_{a~q}[p/q] in closed form."""
        branches = zip(self._split(p), self._split(q), strict=True)
        return joint_variance([predicted_ratio_variance_categorical(p_d, q_d) for p_d, q_d in branches])

    def _split(self, x: Shaped[Tensor, "*n K"]) -> tuple[Tensor, ...]:
        return x.split(self.choices, dim=-1)


class BernoulliHead(nn.Module):
    """D independent yes-or-no answers, 1 or 0, with the net's outputs as logits of yes."""

    action_dtype = torch.int64

    def __init__(self, answers: int):
        super().__init__()
        self.outputs = self.noise_size = self.dimensions = answers
        self.action_shape = (answers,)

    def masked(self, output: Float[Tensor, "*n D"], mask: Shaped[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """The logits with each yes that is not allowed at -1e8; no is always allowed."""
        return torch.where(mask > 0.5, output, _NEVER)

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n D"]:
        """Logistic noise, log u/(1-u) with u uniform."""
        u = torch.rand(*shape, self.noise_size, generator=rng).clamp_(1e-20, 1 - 1e-7)
        return torch.log(u) - torch.log1p(-u)

    def sample(self, output: Float[Tensor, "*n D"], noise: Float[Tensor, "*n D"]) -> Int[Tensor, "*n D"]:
        """Yes where logit + logistic noise > 0."""
        return self.mode(output + noise)

    def mode(self, output: Float[Tensor, "*n D"]) -> Int[Tensor, "*n D"]:
        """The likelier answer; no where both are as likely."""
        return (output > 0).long()

    def log_probs(self, output: Float[Tensor, "*n D"], action: Int[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """log p of each answer."""
        return bernoulli.log_density(action, output)

    def entropies(self, output: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """Entropy of each answer."""
        return bernoulli.entropy(output)

    def distribution(self, output: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """The logits."""
        return output

    def kl(self, p: Float[Tensor, "*n D"], q: Float[Tensor, "*n D"]) -> Float[Tensor, "*n"]:
        """D_KL(p ‖ q)."""
        return bernoulli.kl_divergence(p, q)

    def ratio_variance(self, p: Float[Tensor, "*n D"], q: Float[Tensor, "*n D"]) -> Float[Tensor, "*n"]:
        """Var_{a~q}[p/q] in closed form."""
        p_both, q_both = (
            categorical.log_probs(torch.stack([x, torch.zeros_like(x)], dim=-1)) for x in (p, q)
        )
        return joint_variance(list(predicted_ratio_variance_categorical(p_both, q_both).unbind(dim=-1)))


def _masked(logits: Float[Tensor, "*n K"], mask: Shaped[Tensor, "*n K"]) -> Float[Tensor, "*n K"]:
    allowed = mask > 0.5
    return torch.where(allowed | ~allowed.any(dim=-1, keepdim=True), logits, _NEVER)


def _gumbel(shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n K"]:
    u = torch.rand(*shape, generator=rng).clamp_(1e-20, 1 - 1e-7)
    return -torch.log(-torch.log(u))


def joint_variance(variances: list[Float[Tensor, "*n"]]) -> Float[Tensor, "*n"]:
    """Var of a product of independent ratios, each of mean 1: Π (1 + Var) - 1."""
    return torch.expm1(torch.stack([torch.log1p(variance) for variance in variances]).sum(dim=0))
