"""What every head promises, against torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Distribution,
    Normal,
    TransformedDistribution,
    kl_divergence,
)
from torch.distributions.transforms import TanhTransform
from torch.nn.functional import softplus

from amble.nets.distributions import (
    BernoulliHead,
    BetaHead,
    CategoricalHead,
    DiscreteHead,
    GaussianHead,
    Head,
    HybridHead,
    MultiCategoricalHead,
    SquashedGaussianHead,
)

CHOICES = [2, 4, 3]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(kind: type[GaussianHead] = GaussianHead) -> GaussianHead:
    head = kind(3, 0.5)
    with torch.no_grad():
        head.log_std += torch.tensor([0.0, 0.6, -1.0])
    return head


def heads() -> list[Head]:
    squashed = gaussian(SquashedGaussianHead)
    return [
        gaussian(),
        squashed,
        BetaHead(3),
        CategoricalHead(4),
        MultiCategoricalHead(CHOICES),
        BernoulliHead(3),
        HybridHead(gaussian(), MultiCategoricalHead(CHOICES)),
        HybridHead(BetaHead(3), CategoricalHead(4)),
    ]


EVERY = pytest.mark.parametrize("head", heads(), ids=lambda head: type(head).__name__)
DISCRETE = pytest.mark.parametrize(
    "head",
    [head for head in heads() if isinstance(head, DiscreteHead)],
    ids=lambda head: type(head).__name__,
)


def theirs(head: Head, output: torch.Tensor) -> list[Distribution]:
    """One of torch's distributions for every dimension, over what is stored."""
    if isinstance(head, HybridHead):
        continuous, discrete = output.tensor_split([head.continuous.outputs], dim=-1)
        return theirs(head.continuous, continuous) + theirs(head.discrete, discrete)
    if isinstance(head, GaussianHead):
        return [Normal(output[..., d], head.log_std[d].exp()) for d in range(3)]
    if isinstance(head, BetaHead):
        return [Beta(1 + softplus(output[..., d]), 1 + softplus(output[..., d + 3])) for d in range(3)]
    if isinstance(head, CategoricalHead):
        return [Categorical(logits=output)]
    if isinstance(head, MultiCategoricalHead):
        return [Categorical(logits=logits) for logits in output.split(CHOICES, dim=-1)]
    return [Bernoulli(logits=output[..., d]) for d in range(3)]


def by_dimension(head: Head, action: torch.Tensor) -> list[torch.Tensor]:
    return [action] if isinstance(head, CategoricalHead) else list(action.unbind(-1))


def outputs(head: Head, *lead: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*lead, head.outputs, generator=rng(seed))


def sampled(head: Head, output: torch.Tensor, seed: int = 1) -> torch.Tensor:
    with torch.no_grad():
        return head.sample(output, head.noise(tuple(output.shape[:-1]), rng(seed)))


@EVERY
@pytest.mark.parametrize("lead", [(), (5,), (4, 5)])
def test_shapes(head: Head, lead: tuple[int, ...]) -> None:
    output = outputs(head, *lead)
    assert head.noise(lead, rng()).shape == (*lead, head.noise_size)
    for action in (sampled(head, output), head.mode(output)):
        assert action.shape == (*lead, *head.action_shape)
        assert action.dtype == head.action_dtype
    assert head.log_probs(output, sampled(head, output)).shape == (*lead, head.dimensions)
    assert head.entropies(output).shape == (*lead, head.dimensions)
    p = head.distribution(output)
    assert p.shape[:-1] == head.kl(p, p).shape == head.ratio_variance(p, p).shape == lead


@EVERY
def test_noise_drawn_at_once_is_the_noise_drawn_in_turn(head: Head) -> None:
    """A rollout's noise comes from its own generator, in one call, and from nowhere else."""
    one = rng(5)
    at_once = head.noise((4, 2), one)
    torch.manual_seed(99)
    assert torch.equal(head.noise((4, 2), rng(5)), at_once)
    assert not torch.equal(head.noise((4, 2), one), at_once)


@EVERY
def test_log_probs(head: Head) -> None:
    output = outputs(head, 50)
    action = sampled(head, output)
    expected = theirs(head, output)
    if isinstance(head, SquashedGaussianHead):
        expected = [TransformedDistribution(normal, [TanhTransform()]) for normal in expected]
        pairs = zip(expected, by_dimension(head, action.tanh()), strict=True)
    else:
        as_theirs = action.float() if isinstance(head, BernoulliHead) else action
        pairs = zip(expected, by_dimension(head, as_theirs), strict=True)
    log_probs = torch.stack([of.log_prob(part) for of, part in pairs], dim=-1)
    # torch comes back from tanh(u) to u in float32; ours never left
    loose = (
        {"atol": 1e-3, "rtol": 1e-3}
        if isinstance(head, SquashedGaussianHead)
        else {"atol": 1e-5, "rtol": 1e-4}
    )
    torch.testing.assert_close(head.log_probs(output, action), log_probs, **loose)


@EVERY
def test_entropies(head: Head) -> None:
    if isinstance(head, SquashedGaussianHead):
        pytest.skip("torch has no entropy of it; it has a test of its own")
    output = outputs(head, 50)
    expected = torch.stack([of.entropy() for of in theirs(head, output)], dim=-1)
    torch.testing.assert_close(head.entropies(output), expected, atol=1e-5, rtol=1e-4)


def test_the_squashed_entropy_is_that_of_its_samples() -> None:
    """-mean log π over 200 000 samples; its standard error is below 0.005."""
    head = gaussian(SquashedGaussianHead)
    output = torch.tensor([0.0, 1.5, -0.3]).expand(200_000, 3)
    estimate = -head.log_probs(output, sampled(head, output)).mean(0)
    torch.testing.assert_close(head.entropies(output[:1])[0], estimate, atol=0.015, rtol=0)


def test_a_squashed_density_sums_to_1() -> None:
    """∫ π(a) da over (-1, 1) in 20 000 steps, for one a dimension."""
    head, steps = SquashedGaussianHead(1, 0.7), 20_000
    a = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps * 2 - 1
    u = torch.atanh(a).float().unsqueeze(-1)
    density = head.log_probs(torch.full((steps, 1), 0.4), u).exp()
    assert density.double().sum().item() * 2 / steps == pytest.approx(1.0, abs=1e-4)


@EVERY
def test_samples_have_the_moments(head: Head) -> None:
    """100 000 draws at one output: mean and deviation within five standard errors, those of a choice by frequency."""
    n = 100_000
    output = outputs(head, 1, seed=3).expand(n, -1)
    for of, drawn in zip(theirs(head, output[0]), by_dimension(head, sampled(head, output)), strict=True):
        if isinstance(of, Categorical):
            frequency = drawn.long().bincount(minlength=len(of.probs)) / n
            torch.testing.assert_close(frequency, of.probs, atol=5 * 0.5 / math.sqrt(n), rtol=0)
        else:
            error = 5 * of.stddev.item() / math.sqrt(n)
            torch.testing.assert_close(drawn.float().mean(), of.mean, atol=error, rtol=0)
            torch.testing.assert_close(drawn.float().std(), of.stddev, atol=0, rtol=0.02)


@EVERY
def test_the_mode_is_the_likeliest_action(head: Head) -> None:
    """None of 200 samples of the same output is likelier; of a squashed one, before it is squashed."""
    output = outputs(head, 20)
    at = gaussian() if isinstance(head, SquashedGaussianHead) else head
    likeliest = at.log_probs(output, head.mode(output)).sum(-1)
    repeated = output.expand(200, 20, -1)
    assert (at.log_probs(repeated, sampled(head, repeated)).sum(-1) <= likeliest + 1e-5).all()


@EVERY
def test_kl(head: Head) -> None:
    p, q = outputs(head, 50, seed=1), outputs(head, 50, seed=2)
    expected = sum(kl_divergence(a, b) for a, b in zip(theirs(head, p), theirs(head, q), strict=True))
    found = head.kl(head.distribution(p), head.distribution(q))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@EVERY
def test_kl_of_a_distribution_and_itself_is_0_and_flat(head: Head) -> None:
    output = outputs(head, 50).requires_grad_()
    p = head.distribution(output)
    kl = head.kl(p.detach(), p)
    assert kl.abs().max() < 1e-6
    kl.sum().backward()
    assert output.grad is not None
    assert output.grad.abs().max() < 1e-5


@EVERY
def test_ratio_variance_is_that_of_samples(head: Head) -> None:
    """Var of ρ over 200 000 actions of q against the closed form, for a p close to q."""
    q_output = outputs(head, 1, seed=1)
    p_output = q_output + 0.15 * outputs(head, 1, seed=2)
    rows = q_output.expand(200_000, -1)
    action = sampled(head, rows)
    log_ratio = (head.log_probs(p_output.expand_as(rows), action) - head.log_probs(rows, action)).sum(-1)
    predicted = head.ratio_variance(head.distribution(p_output), head.distribution(q_output))
    assert predicted.item() > 1e-3
    assert log_ratio.exp().mean().item() == pytest.approx(1.0, abs=0.01)
    assert log_ratio.exp().var().item() == pytest.approx(predicted.item(), rel=0.05)


@EVERY
def test_ratio_variance_of_a_distribution_and_itself_is_0(head: Head) -> None:
    p = head.distribution(outputs(head, 50))
    assert (head.ratio_variance(p, p).abs() < 1e-6).all()


@EVERY
def test_ratio_variance_is_never_nan(head: Head) -> None:
    with torch.no_grad():
        p, q = (head.distribution(30 * outputs(head, 200, seed=seed)) for seed in (1, 2))
        assert (head.ratio_variance(p, q) >= 0).all()


@EVERY
def test_gradients_reach_the_output(head: Head) -> None:
    output = outputs(head, 5).requires_grad_()
    action = sampled(head, output.detach())
    quantities = [head.log_probs(output, action), head.distribution(output)]
    if type(head) is not GaussianHead:  # whose entropy is the same in every state
        quantities.append(head.entropies(output))
    for quantity in quantities:
        (gradient,) = torch.autograd.grad(quantity.square().sum(), output)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().sum() > 0


def test_the_deviation_starts_where_asked_and_is_learned() -> None:
    """An action 2σ off makes σ grow: d log p / d log σ = z² - 1 = 3."""
    head = GaussianHead(3, 0.5)
    torch.testing.assert_close(head.log_std.exp(), torch.full((3,), 0.5))
    output = torch.zeros(1, 3)
    head.log_probs(output, 2 * head.log_std.exp().detach().expand(1, 3)).sum().backward()
    torch.testing.assert_close(head.log_std.grad, torch.full((3,), 3.0))


def test_a_squashed_action_far_out_has_a_finite_log_prob() -> None:
    head = SquashedGaussianHead(1, 1.0)
    output = torch.tensor([[50.0]], requires_grad=True)
    log_prob = head.log_probs(output, torch.tensor([[50.0]]))
    (log_prob + head.entropies(output)).sum().backward()
    assert torch.isfinite(log_prob).all()
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()


class TestBeta:
    @pytest.mark.parametrize(
        ("first", "second"), [(-30.0, -30.0), (-30.0, 3.0), (0.0, 0.0), (8.0, -2.0), (30.0, 60.0)]
    )
    def test_samples_follow_the_distribution_function(self, first: float, second: float) -> None:
        """Kolmogorov's distance of 100 000 draws is below 1.95/√n = 0.0062 in 999 of 1000 cases."""
        stats = pytest.importorskip("scipy.stats")
        head, n = BetaHead(1), 100_000
        output = torch.tensor([first, second])
        drawn = sampled(head, output.expand(n, 2), seed=4).squeeze(-1).sort().values.double()
        alpha, beta = head.distribution(output).double().tolist()
        expected = torch.as_tensor(stats.beta(alpha, beta).cdf(drawn.numpy()))
        assert (expected - (torch.arange(n) + 0.5) / n).abs().max() < 0.0062

    def test_actions_and_densities_stay_finite_at_the_edges(self) -> None:
        head = BetaHead(2)
        output = torch.tensor([[60.0, -60.0, -60.0, 60.0]]).expand(10_000, 4)
        action = sampled(head, output)
        assert action.min() > 0
        assert action.max() < 1
        assert torch.isfinite(head.log_probs(output, action)).all()
        assert torch.isfinite(head.entropies(output)).all()
        assert torch.isfinite(head.mode(torch.full((1, 4), -200.0))).all()

    def test_the_ratio_of_a_far_tail_is_infinite(self) -> None:
        """αq = 2αp: ∫ x^(2αp - αq - 1) does not end at 0."""
        head = BetaHead(1)
        assert head.ratio_variance(torch.tensor([2.0, 3.0]), torch.tensor([4.0, 3.0])) == math.inf


class TestChoices:
    def test_noise_is_finite_even_where_the_uniform_is_0_or_1(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            torch, "rand", lambda *shape, generator: torch.tensor([0.0, 1.0 - 2**-24, 0.5, 0.5])
        )
        assert torch.isfinite(CategoricalHead(4).noise((), rng())).all()
        assert torch.isfinite(BernoulliHead(4).noise((), rng())).all()

    def test_a_hopeless_choice_leaves_the_entropy_finite(self) -> None:
        output = torch.tensor([[0.0, -1e4]], requires_grad=True)
        entropy = CategoricalHead(2).entropies(output)
        entropy.sum().backward()
        assert entropy.item() == 0
        assert output.grad is not None
        assert torch.isfinite(output.grad).all()

    def test_branches_are_the_categorical_heads_side_by_side(self) -> None:
        head, one = MultiCategoricalHead([3, 3]), CategoricalHead(3)
        output = outputs(head, 20)
        action = sampled(head, output)
        for d in range(2):
            part = output[:, 3 * d : 3 * d + 3]
            assert torch.equal(
                head.log_probs(output, action)[:, d : d + 1], one.log_probs(part, action[:, d])
            )
            assert torch.equal(head.entropies(output)[:, d : d + 1], one.entropies(part))

    def test_ratio_variance_of_two_by_hand(self) -> None:
        """(0.9, 0.1) over (½, ½): 0.81/½ + 0.01/½ - 1 = 0.64; of two at once 1.64² - 1 = 1.6896."""
        nine, even = math.log(9), 0.0
        for head, p, q in (
            (MultiCategoricalHead([2, 2]), [nine, 0.0, 0.0, nine], [even] * 4),
            (BernoulliHead(2), [nine, -nine], [even] * 2),
        ):
            variance = head.ratio_variance(*(head.distribution(torch.tensor(logits)) for logits in (p, q)))
            assert variance.item() == pytest.approx(1.6896, rel=1e-5)


class TestMasks:
    """Every other logit may not be chosen; the first of each branch may."""

    def mask(self, head: Head) -> torch.Tensor:
        return torch.tensor(
            {4: [1.0, 0, 1, 0], 9: [1.0, 0, 0, 1, 0, 1, 1, 0, 1], 3: [1.0, 0, 1]}[head.outputs]
        )

    def chosen(self, head: Head, action: torch.Tensor) -> torch.Tensor:
        """How often each logit was."""
        if isinstance(head, BernoulliHead):
            return action.sum(0)
        first = torch.tensor([0, 2, 6]) if isinstance(head, MultiCategoricalHead) else 0
        return (action + first).reshape(-1).bincount(minlength=head.outputs)

    @DISCRETE
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.int8])
    def test_what_is_masked_is_never_chosen(self, head: CategoricalHead, dtype: torch.dtype) -> None:
        mask = self.mask(head)
        raw = outputs(head, 1).expand(10_000, -1) - 10 * mask  # what is masked is much the likelier
        output = head.masked(raw, mask.to(dtype).expand_as(raw))
        for action in (sampled(head, output), head.mode(output)):
            assert (self.chosen(head, action)[mask == 0] == 0).all()
        often = self.chosen(head, sampled(head, output + 10 * mask))
        assert (often[mask > 0] > 0).all()

    @DISCRETE
    def test_its_gradient_is_0_and_the_rest_finite(self, head: CategoricalHead) -> None:
        mask, raw = self.mask(head).expand(50, -1), outputs(head, 50).requires_grad_()
        output = head.masked(raw, mask)
        action = sampled(head, output.detach())
        p = head.distribution(output)
        q = head.distribution(head.masked(outputs(head, 50, seed=9), mask))
        total = head.log_probs(output, action).sum() + 2 * head.entropies(output).sum() + head.kl(q, p).sum()
        total.backward()
        assert torch.isfinite(total)
        assert raw.grad is not None
        assert torch.isfinite(raw.grad).all()
        assert (raw.grad[mask == 0] == 0).all()
        assert (raw.grad[mask > 0] != 0).any()
        assert torch.isfinite(head.ratio_variance(p, q)).all()

    @DISCRETE
    def test_a_mask_of_ones_changes_nothing(self, head: CategoricalHead) -> None:
        output = outputs(head, 5)
        assert torch.equal(head.masked(output, torch.ones_like(output)), output)

    def test_a_mask_that_allows_nothing_allows_everything_in_its_row_or_branch(self) -> None:
        output = torch.zeros(2, 4)
        mask = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0]])
        assert CategoricalHead(4).masked(output, mask).tolist() == [[0] * 4, [0, -1e8, -1e8, -1e8]]
        assert MultiCategoricalHead([2, 2]).masked(output, mask).tolist() == [[0] * 4, [0, -1e8, 0, 0]]

    def test_both_kinds_mask_their_choices_only(self) -> None:
        head = HybridHead(gaussian(), CategoricalHead(2))
        output = head.masked(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), torch.tensor([[1.0, 0.0]]))
        assert output.tolist() == [[1, 2, 3, 4, -1e8]]
        assert head.mode(output).tolist() == [[1, 2, 3, 0]]

    def test_answers_that_are_all_masked_are_no(self) -> None:
        output = BernoulliHead(2).masked(torch.zeros(1, 2), torch.zeros(1, 2))
        assert BernoulliHead(2).log_probs(output, torch.zeros(1, 2, dtype=torch.int64)).tolist() == [[0, 0]]
