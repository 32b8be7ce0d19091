"""Spinning Up's interface: the same functions, arguments, defaults and output files, on our mathematics.

    import gymnasium
    from amble.spinup import ppo_pytorch, setup_logger_kwargs

    ppo_pytorch(lambda: gymnasium.make("HalfCheetah-v5"), logger_kwargs=setup_logger_kwargs("ppo", seed=0))

Source: OpenAI Spinning Up, spinningup.openai.com. What differs is named where it does: a time limit is no end even
with Gymnasium's two flags, models are safetensors, TRPO is there too, and the trained actor-critic comes back.
"""

from amble.spinup.actor_critic import ActorCritic, MLPActorCritic
from amble.spinup.grid import ExperimentGrid
from amble.spinup.logger import setup_logger_kwargs
from amble.spinup.ppo import ppo_pytorch
from amble.spinup.saving import load_actor_critic
from amble.spinup.trpo import trpo_pytorch
from amble.spinup.vpg import vpg_pytorch

__all__ = [
    "ActorCritic",
    "ExperimentGrid",
    "MLPActorCritic",
    "load_actor_critic",
    "ppo_pytorch",
    "setup_logger_kwargs",
    "trpo_pytorch",
    "vpg_pytorch",
]
