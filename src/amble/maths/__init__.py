"""The lecture's equations as pure functions on tensors: no state, no settings, no files.

Axes everywhere: T decisions, B environments, A action, N = T·B. One idea a file.
"""
