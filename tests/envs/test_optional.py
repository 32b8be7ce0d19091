"""Backends that need packages beyond our own: skipped where those are not installed."""

import importlib.util

import numpy as np
import pytest

import amble.envs
from amble.envs.conformance import VectorEnvConformance

needs_envpool = pytest.mark.skipif(importlib.util.find_spec("envpool") is None, reason="no envpool")
needs_jax = pytest.mark.skipif(importlib.util.find_spec("flax") is None, reason="no jax and flax")


@needs_envpool
class TestEnvPoolHopper(VectorEnvConformance):
    def make(self, num_envs):
        env = amble.envs.make("Hopper-v5", num_envs, backend="envpool")
        assert env.metadata["amble_backend"] == "envpool"
        return env


@needs_envpool
class TestEnvPoolCartPole(VectorEnvConformance):
    def make(self, num_envs):
        return amble.envs.make("CartPole-v1", num_envs, backend="envpool")


@needs_jax
class TestJaxCartPole(VectorEnvConformance):
    def make(self, num_envs):
        return amble.envs.make("phys2d/CartPole-v1", num_envs)


@pytest.mark.parametrize(
    ("env_id", "backend"),
    [
        pytest.param("Pendulum-v1", "envpool", marks=needs_envpool),
        pytest.param("phys2d/Pendulum-v0", "array", marks=needs_jax),
    ],
)
def test_time_limits_come_every_200_steps(env_id, backend):
    env = amble.envs.make(env_id, 2, backend=backend)
    env.reset(seed=0)
    for number in range(1, 601):
        *_, terminated, truncated, _ = env.step(np.zeros((2, 1), np.float32))
        assert not terminated.any()
        assert truncated.tolist() == [number % 200 == 0] * 2
