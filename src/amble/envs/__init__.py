"""Environments: the boundary every one of them obeys, the ways of running many, and our own bodies.

Importing this room registers our environments with Gymnasium and imports nothing heavy: MuJoCo comes with the
first body that is made.
"""

from amble.envs.boundary import final_observations
from amble.envs.making import BACKENDS, make
from amble.envs.registration import register_all

__all__ = ["BACKENDS", "final_observations", "make", "register_all"]

register_all()
