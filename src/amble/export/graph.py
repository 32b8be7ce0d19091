"""A graph of ONNX nodes under construction. Values go by name; nothing newer than operator set 9 is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import amble

OPSET = 9
"""The operator set of Unity's shipped models; `Clip`, `Slice` and `Squeeze` take their arguments as attributes."""
IR_VERSION = 4
"""The first in which a constant need not be listed among the inputs."""
BATCH = "batch"
"""The name of every first axis."""


class Graph:
    """Nodes, constants, inputs and outputs, in the order in which they are added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, *shape: int) -> str:
        """A float32 input (batch, *shape)."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape]))
        return name

    def constant(self, values: Any, name: str | None = None) -> str:
        """A float32 constant of any shape."""
        array = np.asarray(values, dtype=np.float32)
        name = name or f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The output of a new node."""
        return self.nodes(kind, *inputs, outputs=1, **attributes)[0]

    def nodes(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """All outputs of a new node that has several."""
        name = f"{kind}_{len(self._nodes)}"
        names = [name if i == 0 else f"{name}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, name, **attributes))
        return names

    def joined(self, values: list[str]) -> str:
        """Values (n, …) side by side along the second axis."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=1)

    def output(self, name: str, value: str, *shape: int, integer: bool = False) -> None:
        """An output (batch, *shape) of float32, or int64, that shows a value computed before."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name))
        kind = TensorProto.INT64 if integer else TensorProto.FLOAT
        self._outputs.append(helper.make_tensor_value_info(name, kind, [BATCH, *shape]))

    def constant_output(self, name: str, values: Any) -> None:
        """A float32 output that never changes.

        The constant itself bears the output's name: older loaders look constants up by name and never run the graph.
        """
        shape = np.asarray(values).shape
        self.constant(values, name)
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self, name: str) -> onnx.ModelProto:
        """The finished model."""
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="amble",
            producer_version=amble.__version__,
        )
