"""torch's layers as ONNX nodes. Axes: n rows, F features, C, H, W an image's channels, height and width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from amble.errors import UsageError
from amble.export.graph import Graph
from amble.nets.encoders import ResidualBlock
from amble.nets.memory import RecurrentNet


def add(graph: Graph, module: nn.Module, x: str) -> str:
    """What the module makes of the value x.

    Raises:
        UsageError: a layer that has no counterpart here, by name.
    """
    if isinstance(module, nn.Sequential):
        for layer in module:
            x = add(graph, layer, x)
        return x
    write = _LAYERS.get(type(module))
    if write is None:
        raise UsageError(
            f"This policy has a layer {type(module).__name__}, which is not written to ONNX; the layers that are: "
            f"{', '.join(sorted(kind.__name__ for kind in _LAYERS))}."
        )
    return write(graph, module, x)


def add_recurrent(graph: Graph, net: RecurrentNet, x: str, state: str) -> tuple[str, str]:
    """One decision of a network with a memory: (n, F) and (n, 1, M) → its outputs (n, P) and the next (n, 1, M).

    torch keeps the gates in the order input, forget, cell, output; ONNX input, output, forget, cell.
    """
    half = net.memory_size // 2
    batch_second = graph.node("Transpose", state, perm=[1, 0, 2])
    hidden = graph.node("Slice", batch_second, axes=[2], starts=[0], ends=[half])
    cell = graph.node("Slice", batch_second, axes=[2], starts=[half], ends=[2 * half])
    lstm = net.cell
    _, hidden, cell = graph.nodes(
        "LSTM",
        graph.node("Unsqueeze", add(graph, net.body, x), axes=[0]),
        graph.constant(_gates(lstm.weight_ih)[None]),
        graph.constant(_gates(lstm.weight_hh)[None]),
        graph.constant(torch.cat([_gates(lstm.bias_ih), _gates(lstm.bias_hh)])[None]),
        "",  # every sequence is one decision long
        hidden,
        cell,
        outputs=3,
        hidden_size=half,
    )
    after = graph.node("Transpose", graph.node("Concat", hidden, cell, axis=2), perm=[1, 0, 2])
    return add(graph, net.outputs, graph.node("Squeeze", hidden, axes=[0])), after


def _gates(parameter: Tensor) -> Tensor:
    i, f, g, o = parameter.detach().chunk(4)
    return torch.cat([i, o, f, g])


def _linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    weight, bias = graph.constant(layer.weight.detach()), graph.constant(layer.bias.detach())
    return graph.node("Gemm", x, weight, bias, transB=1)


def _silu(graph: Graph, layer: nn.SiLU, x: str) -> str:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def _layer_norm(graph: Graph, layer: nn.LayerNorm, x: str) -> str:
    """(x - mean) / √(variance + ε) · weight + bias over F; operator set 9 has no node for it."""
    if len(layer.normalized_shape) != 1:
        raise UsageError(
            f"A LayerNorm over {layer.normalized_shape} is not written to ONNX, only one over features."
        )
    centred = graph.node("Sub", x, graph.node("ReduceMean", x, axes=[1], keepdims=1))
    variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), axes=[1], keepdims=1)
    deviation = graph.node("Sqrt", graph.node("Add", variance, graph.constant([layer.eps])))
    x = graph.node("Div", centred, deviation)
    if layer.weight is not None:
        x = graph.node("Mul", x, graph.constant(layer.weight.detach()))
    if layer.bias is not None:
        x = graph.node("Add", x, graph.constant(layer.bias.detach()))
    return x


def _conv(graph: Graph, layer: nn.Conv2d, x: str) -> str:
    weight, bias = layer.weight.detach(), layer.bias
    return graph.node(
        "Conv",
        x,
        graph.constant(weight),
        *([] if bias is None else [graph.constant(bias.detach())]),
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=[int(size) for size in layer.padding] * 2,
        dilations=list(layer.dilation),
        group=layer.groups,
    )


def _max_pool(graph: Graph, layer: nn.MaxPool2d, x: str) -> str:
    if layer.ceil_mode or _pair(layer.dilation) != [1, 1]:
        raise UsageError(
            "A MaxPool2d with ceil_mode or dilation is not written to ONNX: Unity's loader refuses it."
        )
    return graph.node(
        "MaxPool",
        x,
        kernel_shape=_pair(layer.kernel_size),
        strides=_pair(layer.stride),
        pads=_pair(layer.padding) * 2,
    )


def _residual(graph: Graph, block: ResidualBlock, x: str) -> str:
    return graph.node("Add", x, add(graph, block.layers, x))


def _pair(size: Any) -> list[int]:
    return [size, size] if isinstance(size, int) else [int(each) for each in size]


_LAYERS: dict[type[nn.Module], Callable[[Graph, Any, str], str]] = {
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.SiLU: _silu,
    nn.Tanh: lambda graph, layer, x: graph.node("Tanh", x),
    nn.ReLU: lambda graph, layer, x: graph.node("Relu", x),
    nn.ELU: lambda graph, layer, x: graph.node("Elu", x, alpha=float(layer.alpha)),
    nn.LeakyReLU: lambda graph, layer, x: graph.node("LeakyRelu", x, alpha=float(layer.negative_slope)),
    nn.Flatten: lambda graph, layer, x: graph.node("Flatten", x, axis=1),
    nn.Conv2d: _conv,
    nn.MaxPool2d: _max_pool,
    ResidualBlock: _residual,
}
