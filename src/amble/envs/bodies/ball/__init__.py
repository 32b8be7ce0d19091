"""3DBall: a platform that learns to keep a ball on its head (ML-Agents' first example)."""

from amble.envs.bodies.ball.env import BallEnv, BallVectorEnv

__all__ = ["BallEnv", "BallVectorEnv"]
