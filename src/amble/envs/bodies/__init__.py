"""Bodies simulated by MuJoCo, B at a time: one folder a body, and what they share in `base` and `single`."""
