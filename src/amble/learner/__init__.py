"""Who carries out the gradient steps: torch, for any network on any device, or `fused`, for plain ones on the CPU."""
