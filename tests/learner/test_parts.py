"""Minibatches in parts: the same numbers on any number of threads, and a team that waits for nobody it need not."""

import math
import threading
from typing import Any

import pytest
import torch

from amble.algorithms.ppo import PPO
from amble.learner.fused.parts import parts_of
from amble.native.team import Team
from amble.training.threads import torch_threads
from learner_helpers import a_learner, fused, some_samples

WIDE: dict[str, Any] = {"hidden": [256, 256], "observations": 7, "dimensions": 3}


@pytest.mark.parametrize(
    ("n", "largest", "parts"),
    [
        (512, 256 * 256, 2),  # 2⁹ · 2¹⁶ = 2²⁵ multiplications, 2²⁴ a part
        (256, 256 * 256, 2),  # worth one part, but a second core would stand idle
        (255, 256 * 256, 1),
        (1024, 256 * 256, 4),
        (64, 64 * 64, 1),
        (2048, 512 * 512, 4),  # 2²⁹ are worth 32, but four have 512 rows each
        (4096, 512 * 512, 8),
        (256, 1024 * 1024, 2),  # 2²⁸ are worth 16, but two have 128 rows each
    ],
)
def test_parts_of_a_minibatch(n: int, largest: int, parts: int) -> None:
    assert parts_of(n, largest) == parts


def learned(threads: int, *, spoil: int | None = None) -> tuple[PPO, dict[str, float]]:
    """Three minibatches of unequal size, in parts of unequal size."""
    ppo = a_learner("gaussian", **WIDE)
    fused(ppo)
    samples = some_samples(ppo, 3301)
    if spoil is not None:
        samples.advantage[spoil] = math.nan
    order = torch.randperm(3301, generator=torch.Generator().manual_seed(0)).split([1101, 1100, 1100])
    with torch_threads(threads):
        return ppo, ppo.epoch(samples, order, 0.2, 0.01).means()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    first, figures = learned(1)
    for threads in (2, 3):
        other, again = learned(threads)
        assert again == figures
        assert all(torch.equal(p, q) for p, q in zip(first.parameters, other.parameters, strict=True))
    untrained = a_learner("gaussian", **WIDE)
    assert not any(torch.equal(p, q) for p, q in zip(first.parameters, untrained.parameters, strict=True))


def test_they_are_torchs_steps() -> None:
    """Three steps in parts end where torch's end, and tell the same."""
    ours, found = learned(2)
    theirs = a_learner("gaussian", **WIDE)
    order = torch.randperm(3301, generator=torch.Generator().manual_seed(0)).split([1101, 1100, 1100])
    expected = theirs.epoch(some_samples(theirs, 3301), order, 0.2, 0.01).means()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    for p, q in zip(ours.parameters, theirs.parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)


def test_a_part_that_is_not_finite_spoils_its_minibatch_and_no_other() -> None:
    ppo, figures = learned(2, spoil=7)
    assert figures["skipped_steps"] == pytest.approx(1 / 3)
    assert all(bool(torch.isfinite(p).all()) for p in ppo.parameters)
    assert ppo.optimiser.tensors()["0.step"] == 2


class TestTeam:
    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_every_task_is_carried_out_once(self, threads: int) -> None:
        team, done = Team(), []
        for count in (0, 1, 7):
            done.clear()
            team.each(done.append, count, threads)
            assert sorted(done) == list(range(count))

    def test_one_thread_is_the_callers_own(self) -> None:
        who: list[int] = []
        Team().each(lambda _: who.append(threading.get_ident()), 3, 1)
        assert set(who) == {threading.get_ident()}

    def test_whoever_is_free_takes_the_next(self) -> None:
        """The first task waits for all others: had its thread a share of its own, nobody would carry that out."""
        others = threading.Semaphore(0)

        def task(k: int) -> None:
            if k > 0:
                others.release()
                return
            for _ in range(5):
                assert others.acquire(timeout=60)

        Team().each(task, 6, 2)

    def test_a_failure_is_raised_when_no_task_runs_any_more(self) -> None:
        done: list[int] = []

        def task(k: int) -> None:
            if k == 1:
                raise ZeroDivisionError("the second task")
            done.append(k)

        team = Team()
        with pytest.raises(ZeroDivisionError, match="the second task"):
            team.each(task, 4, 2)
        assert sorted(done) == [0, 2, 3]
        team.each(done.append, 1, 2)  # it is still of use
        assert sorted(done) == [0, 0, 2, 3]
