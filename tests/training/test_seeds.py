"""No two streams of one run, and no two runs, begin alike."""

import torch

from amble.envs.backends.seeds import environment_seeds
from amble.training.seeds import PURPOSES, Seeds


def first_draw(seed: int, purpose: str) -> int:
    return int(torch.randint(2**62, (), generator=Seeds(seed).generator(purpose)))


def test_the_streams_of_many_runs_are_all_different() -> None:
    draws = [first_draw(seed, purpose) for seed in range(200) for purpose in PURPOSES]
    assert len(set(draws)) == len(draws) == 1000


def test_the_episodes_of_many_runs_are_all_different() -> None:
    """Those of training and of evaluation, of neighbouring seeds, of 16 environments each."""
    seeds: list[int | None] = []
    for seed in range(100):
        seeds += environment_seeds(Seeds(seed).integer("environments"), 16)
        seeds += environment_seeds(Seeds(seed).integer("evaluation"), 16)
        seeds += environment_seeds(seed, 16)  # `amble evaluate --seed`
    assert len(set(seeds)) == len(seeds) == 4800


def test_the_same_seed_gives_the_same_streams() -> None:
    for purpose in PURPOSES:
        assert first_draw(3, purpose) == first_draw(3, purpose)
        assert Seeds(3).integer(purpose) == Seeds(3).integer(purpose)


def test_torchs_global_generator_has_no_part_in_it() -> None:
    before = torch.default_generator.get_state()
    first_draw(3, "weights")
    assert torch.equal(torch.default_generator.get_state(), before)


def test_integers_fit_where_a_seed_is_a_signed_32_bit_number() -> None:
    assert all(0 <= Seeds(seed).integer(purpose) < 2**31 for seed in range(100) for purpose in PURPOSES)
