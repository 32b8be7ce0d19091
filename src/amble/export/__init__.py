"""A policy as a model that Unity runs: ONNX, written node by node, by the contract of ML-Agents' model loader."""
