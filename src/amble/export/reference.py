"""Runs a model in plain NumPy, by the reference of the ONNX package: slow, but there wherever a model is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


class Multinomial(OpRun):
    """The one node of ours that the reference leaves out: choices by their log-probabilities, one a row."""

    op_domain = ""

    def _run(
        self, x: np.ndarray, dtype: Any = None, sample_size: int = 1, seed: Any = None
    ) -> tuple[np.ndarray]:
        noise = -np.log(-np.log(np.random.default_rng().uniform(1e-20, 1.0, (*x.shape, sample_size))))
        return (np.argmax(x[..., None] + noise, axis=1).astype(np.int64),)


def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every output by its name."""
    evaluator = ReferenceEvaluator(model, new_ops=[Multinomial])
    names = [output.name for output in model.graph.output]
    return dict(zip(names, map(np.asarray, evaluator.run(names, dict(inputs))), strict=True))
