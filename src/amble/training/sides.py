"""Whether a reward tells left from right: then what a body is paid is not what its mirror image is paid."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Float

import amble.envs
from amble.config import RewardSettings, RunConfig, TermSettings
from amble.envs.bodies.base import BodyVectorEnv
from amble.envs.in_mirror import SignalsInMirror
from amble.envs.mirror import Exchange, Mirror
from amble.errors import UsageError
from amble.rewards.engine import RewardEngine, RewardFault

_log = logging.getLogger(__name__)

_BODIES, _DECISIONS = 16, 60
"""How much is looked at: most bodies fall and begin anew twice in it."""
_TOLERANCE = 1e-6
"""Of what a term pays either body: sums in another order differ by some 1e-15."""


def usable_mirror(config: RunConfig, env: VectorEnv) -> Mirror | None:
    """The mirror of the environment's body, if the run's reward pays both sides alike; None where there is none.

    Raises:
        UsageError: `hyperparameters.mirror` is true, and a term of the reward tells left from right.
    """
    mirror: Mirror | None = getattr(env.unwrapped, "mirror", None)
    asked = getattr(config.behavior[1].hyperparameters, "mirror", False)
    if mirror is None or config.rewards is None or asked is False:
        return mirror
    told = one_sided(config, config.rewards)
    if told is None:
        return mirror
    if asked is True:
        raise UsageError(
            f"hyperparameters.mirror: {told}, and samples seen in a mirror would teach the opposite. Set "
            "hyperparameters.mirror to false, or auto."
        )
    _log.info("mirror: auto comes to false: %s.", told)
    return None


def one_sided(config: RunConfig, rewards: RewardSettings) -> str | None:
    """What of a reward pays or ends a body and its mirror image differently, in words; None where nothing is found.

    Bodies live some decisions by random actions, and each is judged as it is and as it looks in the mirror. None too
    where the environment does not say what becomes of its signals there.
    """
    settings = config.env_settings
    env = amble.envs.make(
        str(settings.env_id), _BODIES, threads=1, **{**settings.env_kwargs, **config.constant_parameters}
    )
    try:
        body = env.unwrapped
        images = getattr(body, "signal_images", None)
        if images is None or not isinstance(body, BodyVectorEnv):
            return None
        return _first_difference(body, _unscheduled(rewards), images())
    except RewardFault:
        return None  # the run itself meets it, and says so
    finally:
        env.close()


def _unscheduled(rewards: RewardSettings) -> RewardSettings:
    """Every term at work from the beginning."""

    def at_work(terms: Mapping[str, TermSettings]) -> dict[str, TermSettings]:
        return {
            label: term.model_copy(update={"weight": term.weight or 1.0, "schedule": []})
            for label, term in terms.items()
        }

    return rewards.model_copy(
        update={"terms": at_work(rewards.terms), "penalties": at_work(rewards.penalties)}
    )


def _first_difference(
    body: BodyVectorEnv, rewards: RewardSettings, images: Mapping[str, Exchange]
) -> str | None:
    source = body.publish()
    engine, in_mirror = RewardEngine(rewards, source), RewardEngine(rewards, SignalsInMirror(source, images))
    found: list[str] = []

    def judge(
        reward: Float[np.ndarray, "B"], terminated: Bool[np.ndarray, "B"]
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        paid, over = engine.judge(reward, terminated)
        _, image_over = in_mirror.judge(reward, terminated)
        if (over != image_over).any():
            found.append(
                "a rule of rewards.terminations ends the episode of a body and not of its mirror image"
            )
        else:
            found.extend(_told_apart(engine, in_mirror))
        return paid, over

    body.referee = judge
    body.reset(seed=0)
    body.action_space.seed(0)
    for _ in range(_DECISIONS):
        body.step(body.action_space.sample())
        if found:
            return found[0]
    return None


def _told_apart(engine: RewardEngine, in_mirror: RewardEngine) -> list[str]:
    """The term that has paid some body and its image differently, if any."""
    mine, its = engine.ledger.now, in_mirror.ledger.now
    apart = np.abs(mine - its) > _TOLERANCE * np.maximum(np.abs(mine), 1e-3)
    if not apart.any():
        return []
    row, index = np.argwhere(apart)[0]
    return [
        f"the reward's term `{engine.ledger.labels[row]}` pays a body and its mirror image differently "
        f"({mine[row, index]:.4g} and {its[row, index]:.4g} for one decision)"
    ]
