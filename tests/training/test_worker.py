"""What a worker does with its share, in this process; `test_asynchronous.py` runs it in its own."""

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from amble.algorithms.a2c import A2C
from amble.algorithms.a3c import UPDATES, everything
from amble.config import RunConfig, run_from_env
from amble.errors import AmbleError, EnvironmentFault
from amble.training.shared_memory import FileLock, SharedTensors
from amble.training.trainer import Trainer
from amble.training.worker import BEFORE, CLAIMED, LIMIT, PUSHED, Place, Worker, _said

SMALL = {
    "hyperparameters.buffer_size": 8,
    "network_settings.hidden_units": 8,
    "network_settings.num_layers": 1,
    "env_settings.seed": 5,
    "env_settings.num_envs": 4,
    "env_settings.backend": "inprocess",
    "max_steps": 1000,
}


def a_run(trainer_type: str = "a3c", env_id: str = "probes:Endless-v0", **settings: Any) -> RunConfig:
    return run_from_env(
        env_id, trainer_type, [f"{key}={value}" for key, value in {**SMALL, **settings}.items()]
    )


def a_place(worker: int, *, warm_up: bool = True) -> Place:
    return Place(worker, range(2 * worker, 2 * worker + 2), start=worker, warm_up=warm_up)


class Shared:
    """What workers of one run share."""

    def __init__(self, config: RunConfig, path: str):
        a2c = Trainer(a_run("a2c")).algorithm
        assert isinstance(a2c, A2C)
        zero = torch.zeros((), dtype=torch.int64)
        counts = {
            UPDATES: zero,
            BEFORE: zero,
            LIMIT: zero,
            CLAIMED: torch.zeros(2).long(),
            PUSHED: torch.zeros(2).long(),
        }
        self.config, self.path = config, path
        self.memory = SharedTensors.of(
            multiprocessing.get_context("forkserver"), {**everything(a2c), **counts}
        )
        self.tensors = self.memory.tensors()

    def worker(self, worker: int, **place: Any) -> Worker:
        return Worker(self.config, a_place(worker, **place), self.memory, FileLock(self.path))

    def let_run(self, worker: Worker, env_steps: int) -> Any:
        self.tensors[LIMIT].fill_(int(self.tensors[CLAIMED].sum()) + env_steps)
        return worker.run()


@pytest.fixture
def shared() -> Iterator[Callable[..., Shared]]:
    path = FileLock.new_path()
    yield lambda **settings: Shared(a_run(**settings), path)
    FileLock.remove(path)


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def test_what_each_saw_before_its_first_rollout_is_merged_once(shared: Callable[..., Shared]) -> None:
    """16 decisions of two environments each; the second worker has pulled the first one's before it adds its own."""
    run = shared()
    first = run.worker(0)
    assert float(run.tensors["policy.normaliser.count"]) == 32
    second = run.worker(1)
    assert float(run.tensors["policy.normaliser.count"]) == 64
    late = run.worker(1, warm_up=False)
    assert float(run.tensors["policy.normaliser.count"]) == 64
    for worker in (first, second, late):
        worker.env.close()


def test_it_stops_at_the_limit_and_reports_what_it_did(shared: Callable[..., Shared]) -> None:
    """A limit of 20 env steps is three pushes of 8; the next is the other worker's."""
    run = shared()
    worker, other = run.worker(0), run.worker(1)
    report = run.let_run(worker, 20)
    assert run.tensors[PUSHED].tolist() == run.tensors[CLAIMED].tolist() == [24, 0]
    assert int(run.tensors[UPDATES]) == report.figures.count == 3
    assert report.staleness_max == 0
    assert report.returns == [5.0] * 4  # two environments, 12 decisions in episodes of 5: two ends each
    assert worker.run().figures.count == 0
    assert run.let_run(other, 1).figures.count == 1
    assert run.tensors[PUSHED].tolist() == [24, 8]


def test_claims_of_others_count(shared: Callable[..., Shared]) -> None:
    run = shared()
    worker = run.worker(0)
    run.tensors[LIMIT].fill_(16)
    run.tensors[CLAIMED][1] = 16
    assert worker.run().figures.count == 0


def test_workers_draw_different_numbers_and_the_same_again(shared: Callable[..., Shared]) -> None:
    def moved(worker: int) -> dict[str, Tensor]:
        run = shared(env_id="probes:SeenAction-v0")
        run.let_run(run.worker(worker), 8)
        return copied(run.tensors)

    first, second, again = moved(0), moved(1), moved(0)
    assert not torch.equal(first["policy.actor.0.weight"], second["policy.actor.0.weight"])
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())


class TestWhatIsSaidOfAFailure:
    def test_an_environment_has_its_number_in_the_run(self) -> None:
        assert _said(EnvironmentFault(1, "is tired."), a_place(3)) == "Environment 7 is tired."

    def test_and_its_own_traceback(self) -> None:
        fault = EnvironmentFault(0, "raised KeyError: 'x'")
        fault.__cause__ = KeyError("x")
        assert _said(fault, a_place(1)) == "Environment 2 raised KeyError: 'x'\nKeyError: 'x'\n"

    def test_ours_are_plain_and_others_whole(self) -> None:
        assert _said(AmbleError("plain"), a_place(0)) == "plain"
        with pytest.raises(KeyError) as raised:
            raise KeyError("x")
        assert _said(raised.value, a_place(0)).startswith("Traceback (most recent call last):")


def test_a_place_is_named_with_its_environments() -> None:
    assert str(a_place(1)) == "Worker 1 (environments 2–3 of the run)"
    assert str(Place(0, range(4, 5), 0, False)) == "Worker 0 (environment 4 of the run)"
