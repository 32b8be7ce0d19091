"""Torch's threads, set for a while."""

import pytest
import torch

from amble.errors import UsageError
from amble.training import threads
from amble.training.threads import torch_threads, update_threads, usable_cores


@pytest.mark.parametrize(
    ("batch_size", "hidden_units", "shared", "parts_shared"),
    [
        (64, 64, False, False),
        (1024, 64, False, False),
        (2048, 512, True, True),
        (512, 256, True, True),
        (511, 256, False, True),
        (255, 256, False, False),
    ],
)
def test_only_large_minibatches_are_shared(
    batch_size: int, hidden_units: int, shared: bool, parts_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 6)
    assert update_threads(batch_size, hidden_units) == (6 if shared else 1)
    assert update_threads(batch_size, hidden_units, in_parts=True) == (6 if parts_shared else 1)


def test_within_and_afterwards() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 2):
        assert torch.get_num_threads() == before + 2
        with torch_threads(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before


def fail() -> None:
    raise ZeroDivisionError


def test_afterwards_even_when_it_failed() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        fail()
    assert torch.get_num_threads() == before


def test_at_least_one_core_is_usable() -> None:
    assert usable_cores() >= 1


def test_the_environment_variable_says_how_many_cores(monkeypatch):
    monkeypatch.setenv("AMBLE_CORES", "1")
    assert usable_cores() == 1
    for wrong in ("0", "-1", "two", ""):
        monkeypatch.setenv("AMBLE_CORES", wrong)
        with pytest.raises(UsageError, match="AMBLE_CORES must be a whole number of at least 1"):
            usable_cores()
