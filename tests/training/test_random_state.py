import json

import numpy as np
import pytest
import torch

from amble.errors import AmbleError
from amble.training.random_state import (
    numpy_rng_from_json,
    numpy_rng_to_json,
    restore_torch_rng,
    torch_rng_from_json,
    torch_rng_to_json,
)


def through_json(state):
    return json.loads(json.dumps(state, allow_nan=False))


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
@pytest.mark.parametrize("entropy", [7, 2**100, [1, 2, 3]])
def test_a_numpy_generator_goes_on_where_it_stood(name, entropy):
    rng = np.random.Generator(getattr(np.random, name)(np.random.SeedSequence(entropy, spawn_key=(4, 5))))
    rng.random(7)
    rng.integers(0, 10, dtype=np.uint32)  # leaves half a draw in the generator
    rng.spawn(2)
    back = numpy_rng_from_json(through_json(numpy_rng_to_json(rng)))
    assert type(back.bit_generator) is type(rng.bit_generator)
    np.testing.assert_array_equal(
        back.integers(0, 2**32, 3, dtype=np.uint32), rng.integers(0, 2**32, 3, dtype=np.uint32)
    )
    np.testing.assert_array_equal(back.standard_normal(1000), rng.standard_normal(1000))
    np.testing.assert_array_equal(back.spawn(1)[0].random(9), rng.spawn(1)[0].random(9))


def test_a_torch_generator_goes_on_where_it_stood():
    rng = torch.Generator().manual_seed(3)
    torch.randn(5, generator=rng)  # an odd number leaves a cached normal
    state = through_json(torch_rng_to_json(rng))
    back = torch_rng_from_json(state)
    expected = torch.randn(9, generator=rng)
    assert torch.equal(torch.randn(9, generator=back), expected)
    restore_torch_rng(back, state)
    assert torch.equal(torch.randn(9, generator=back), expected)


def test_torch_global_generator():
    before = torch.default_generator.get_state()
    state = torch_rng_to_json(torch.default_generator)
    expected = torch.rand(3)
    restore_torch_rng(torch.default_generator, state)
    assert torch.equal(torch.rand(3), expected)
    torch.default_generator.set_state(before)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bit_generator_state": {"bit_generator": "os.system"}},
        {"bit_generator_state": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}}},
        {
            "bit_generator_state": {
                "bit_generator": "MT19937",
                "state": {"key": {"dtype": "O", "values": []}, "pos": 0},
            }
        },
    ],
)
def test_no_numpy_state(state):
    with pytest.raises(AmbleError, match="not the state of a numpy generator"):
        numpy_rng_from_json(state)


@pytest.mark.parametrize("state", [{}, {"device": "cpu", "state": "zz"}, {"device": "cpu", "state": "00"}])
def test_no_torch_state(state):
    with pytest.raises(AmbleError, match="not the state of a torch generator"):
        restore_torch_rng(torch.Generator(), state)


def test_another_kind_of_device_is_refused():
    with pytest.raises(AmbleError, match="saved on cuda:0 and cannot go on on cpu"):
        restore_torch_rng(torch.Generator(), {"device": "cuda:0", "state": "00"})
