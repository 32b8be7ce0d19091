"""One long vector and back."""

import pytest
import torch

from amble.maths.flat import assign, flatten, unflatten_like


def tensors() -> list[torch.Tensor]:
    return [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor(5.0), torch.tensor([6.0])]


def test_flatten_by_hand() -> None:
    assert flatten(tensors()).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_there_and_back() -> None:
    back = unflatten_like(flatten(tensors()), tensors())
    assert all(torch.equal(a, b) for a, b in zip(back, tensors(), strict=True))
    assert [piece.shape for piece in back] == [tensor.shape for tensor in tensors()]


def test_gradients_flow_through() -> None:
    x = [tensor.requires_grad_() for tensor in tensors()]
    (flatten(x) * torch.arange(6.0)).sum().backward()
    assert flatten([tensor.grad for tensor in x if tensor.grad is not None]).tolist() == [0, 1, 2, 3, 4, 5]


def test_assign_writes_in_place() -> None:
    net = torch.nn.Linear(2, 3)
    weight, memory = net.weight, net.weight.data_ptr()
    assign(list(net.parameters()), torch.arange(9.0))
    assert weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert net.bias.tolist() == [6, 7, 8]
    assert net.weight is weight
    assert weight.data_ptr() == memory  # optimisers and other workers go on seeing it
    assert weight.requires_grad


@pytest.mark.parametrize("size", [5, 7])
def test_a_vector_of_another_size(size: int) -> None:
    before = tensors()
    with pytest.raises(ValueError, match=f"the tensors hold 6 numbers, the vector {size}"):
        assign(before, torch.zeros(size))
    assert flatten(before).tolist() == flatten(tensors()).tolist()
