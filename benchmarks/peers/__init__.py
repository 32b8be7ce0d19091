"""Whole training loops side by side: Amble, Stable-Baselines3, rsl_rl and skrl. Start with `make bench-peers`."""
