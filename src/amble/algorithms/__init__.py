"""One file an algorithm: `update(rollout)` in the order of the lecture's pseudo-code."""
