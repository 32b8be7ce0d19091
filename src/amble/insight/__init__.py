"""Seeing what was learned: curves and films."""
