"""Loops compiled by numba: how, where the result is kept, and what a user is told meanwhile."""
