"""Our advantages are Stable-Baselines3's. Axes: T decisions, B environments."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from amble.maths.advantages import gae
from factories import BOX2, OBSERVATION, rng
from sb3_peers import common, relative, sb3, spread

TOLERANCE = 1e-6
"""‖ours - theirs‖ / ‖theirs‖ in float32."""


def a_buffer(t: int, b: int, gamma: float, lam: float) -> Any:
    return common.buffers.RolloutBuffer(t, OBSERVATION, BOX2, "cpu", gae_lambda=lam, gamma=gamma, n_envs=b)


def ends(t: int, b: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Terminated and truncated, with chance `share` each at every decision."""
    chance = torch.rand(t, b, generator=rng(seed))
    return chance < share, (chance >= share) & (chance < 2 * share)


@pytest.mark.parametrize(("t", "b"), [(1, 1), (5, 3), (64, 16), (512, 2)])
@pytest.mark.parametrize("gamma", [0.9, 0.99, 1.0])
@pytest.mark.parametrize("lam", [0.0, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4])
def test_random_rollouts(t: int, b: int, gamma: float, lam: float, share: float) -> None:
    """SB3 knows only that an episode ended; at a truncation its collection adds γ V(final) to the reward."""
    random = rng(t + b)
    reward, value = torch.randn(t, b, generator=random), torch.randn(t, b, generator=random)
    last, final = torch.randn(b, generator=random), torch.randn(t, b, generator=random)
    terminated, truncated = ends(t, b, share, seed=t)
    done = terminated | truncated

    buffer = a_buffer(t, b, gamma, lam)
    starts = torch.cat([torch.ones(1, b, dtype=torch.bool), done[:-1]])
    rows = reward + gamma * torch.where(truncated, final, 0.0)
    zeros = {"obs": np.zeros((b, 3)), "action": np.zeros((b, 2)), "log_prob": torch.zeros(b)}
    for k in range(t):
        buffer.add(reward=rows[k].numpy(), episode_start=starts[k].numpy(), value=value[k], **zeros)
    buffer.compute_returns_and_advantage(last, done[-1].numpy())

    next_value = torch.where(truncated, final, torch.cat([value[1:], last[None]]))
    ours = gae(reward, value, next_value, terminated, truncated, gamma=gamma, lam=lam)
    assert relative(ours, torch.from_numpy(buffer.advantages)) < TOLERANCE
    assert relative(ours + value, torch.from_numpy(buffer.returns)) < TOLERANCE


class RandomEnds(gymnasium.Env[Any, Any]):
    """Random observations and rewards; each decision may end the episode, either way or both at once."""

    observation_space, action_space = OBSERVATION, BOX2

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.lived: list[tuple[float, bool, bool, np.ndarray]] = []
        """Reward, terminated, truncated and the observation that the decision led to."""

    def _observe(self) -> np.ndarray:
        return self.random.standard_normal(3).astype(np.float32)

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        terminated, truncated = (bool(end) for end in self.random.random(2) < 0.15)
        self.lived.append((self.random.standard_normal(), terminated, truncated, self._observe()))
        reward, *_, observation = self.lived[-1]
        return observation, reward, terminated, truncated, {}


def test_what_sb3_collects() -> None:
    """From what the environments said, our advantages are those that SB3's own collection ends with."""
    t, b, gamma, lam = 40, 3, 0.97, 0.9
    envs = [RandomEnds(seed) for seed in range(b)]
    several = common.vec_env.DummyVecEnv([lambda env=env: env for env in envs])
    peer = sb3.PPO(
        "MlpPolicy", several, n_steps=t, batch_size=t, gamma=gamma, gae_lambda=lam, device="cpu", seed=0
    )
    spread(peer.policy)
    _, callback = peer._setup_learn(t * b, None)
    for _ in range(2):  # the second rollout begins in the middle of episodes
        for env in envs:
            env.lived.clear()
        peer.collect_rollouts(several, callback, peer.rollout_buffer, t)

        def of_every(place: int) -> Tensor:
            return torch.from_numpy(np.array([[env.lived[k][place] for env in envs] for k in range(t)]))

        reward, terminated, truncated, led_to = (of_every(place) for place in range(4))
        assert (terminated & ~truncated).any()
        assert (truncated & ~terminated).any()
        assert (truncated & terminated).any()
        with torch.no_grad():
            next_value = peer.policy.predict_values(led_to.flatten(0, 1)).view(t, b)
        value = torch.from_numpy(peer.rollout_buffer.values)
        ours = gae(reward.float(), value, next_value, terminated, truncated, gamma=gamma, lam=lam)
        assert relative(ours, torch.from_numpy(peer.rollout_buffer.advantages)) < TOLERANCE
