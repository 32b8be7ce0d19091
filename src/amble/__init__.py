"""Amble teaches bodies to walk: policy optimisation in readable PyTorch on batched physics."""

__version__ = "0.1.0"
