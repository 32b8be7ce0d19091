"""Collecting rollouts: the policy acts in B environments for T decisions. Axes: O observation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Float
from torch import Tensor

from amble.algorithms.rollout import Cut, Rollout
from amble.errors import AmbleError, EnvironmentFault
from amble.learner.choice import Acting
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from amble.nets.normaliser import RunningMoments

if TYPE_CHECKING:
    from amble.training.drive import Driven, Driver

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Episodes:
    """The episodes that ended in one rollout: undiscounted returns (n,) and lengths in decisions (n,)."""

    returns: np.ndarray
    lengths: np.ndarray


class Collector:
    """Steps the environments with the policy, writing into buffers that are allocated once."""

    def __init__(
        self,
        env: VectorEnv,
        policy: Policy,
        decisions: int,
        rng: torch.Generator,
        device: torch.device,
        *,
        critic: Critic | None = None,
        sequence_length: int = 1,
        acting: Acting | None = None,
        after_decision: Callable[[int, np.ndarray], bool] | None = None,
        ends: bool = False,
    ):
        """`critic` and `sequence_length` matter to networks with a memory, which the rollout then holds.

        `acting` does what torch would: the same decisions, within rounding. With `ends` the rollout keeps what terminal
        states showed, which is done while torch acts.

        `after_decision` is told how many env steps of the rollout are taken and the returns (n,) of the episodes that
        have just ended; True from it breaks all episodes off.
        """
        self.env, self.policy, self.decisions, self.rng, self.device = env, policy, decisions, rng, device
        self.critic, self.acting, self._after_decision, self._ends = critic, acting, after_decision, ends
        shape, head = (decisions, env.num_envs), policy.head
        size = policy.layout.size
        self._buffers = Rollout(
            observation=torch.empty(*shape, size, device=device),
            action=policy.actions.empty(*shape).to(device),
            log_prob=torch.empty(*shape, head.dimensions, device=device),
            reward=torch.empty(shape, device=device),
            terminated=torch.empty(shape, dtype=torch.bool, device=device),
            truncated=torch.empty(shape, dtype=torch.bool, device=device),
            next_observation=torch.empty(env.num_envs, size, device=device),
            cut=[],
            begins=torch.empty(shape, dtype=torch.bool, device=device),
            policy_state=policy.nothing_remembered(*shape),
            critic_state=None if critic is None else critic.nothing_remembered(*shape),
            sequence_length=sequence_length,
        )
        # What comes from the environments is written to memory of the host, by NumPy, and handed over at the end.
        self._raw = torch.empty(*shape, size)
        self._reward = np.empty(shape, np.float32)
        self._terminated, self._truncated, self._first = (np.empty(shape, np.bool_) for _ in range(3))
        self._observation: np.ndarray | None = None
        self._policy_state = policy.nothing_remembered(env.num_envs)
        self._critic_state = None if critic is None else critic.nothing_remembered(env.num_envs)
        self._driver = None
        if acting is not None and after_decision is None:
            self._driver = _driver(env, acting, decisions)
        self._begins = np.ones(env.num_envs, np.bool_)
        self._return = np.zeros(env.num_envs)
        self._length = np.zeros(env.num_envs, np.int64)

    def begin(self, seed: int | None) -> None:
        """Begin new episodes everywhere."""
        self._return[:] = 0.0
        self._length[:] = 0
        self._forget(np.ones_like(self._begins))
        observation, _ = self.env.reset(seed=seed)
        self._observation = self._rows(observation)
        self._check(self._observation, np.zeros(self.env.num_envs), "at its reset")

    def warm_up(self, decisions: int) -> None:
        """Let the normaliser see what the untrained policy meets; nothing is learned from it."""
        normaliser, policy = self.policy.normaliser, self.policy
        if normaliser is None:
            return
        noise = policy.head.noise((decisions, self.env.num_envs), self.rng)
        for t in range(decisions):
            observation = self._tensor(self._observation)
            normaliser.update(observation[:, : policy.layout.vectors])
            with torch.no_grad():
                output, _ = policy.step(policy.normalised(observation), self._policy_state)
                action = policy.head.sample(output, noise[t].to(self.device))
            observed, reward, *_ = self.env.step(policy.actions.to_env(action))
            self._observation = self._rows(observed)
            self._check(self._observation, reward, f"at decision {t} of the warm-up")

    def collect(self) -> tuple[Rollout, Episodes]:
        """T decisions of every environment with the policy as it stands.

        The rollout's tensors are written anew by the next call.
        """
        with nullcontext() if self.acting is None else self.acting.alone():
            return self._collect()

    @torch.no_grad()
    def _collect(self) -> tuple[Rollout, Episodes]:
        if self._observation is None:
            raise AmbleError("Collector: begin was not called before collect.")
        data, policy = self._buffers, self.policy
        data.cut.clear()
        data.ends.clear()
        ended: list[tuple[np.ndarray, np.ndarray]] = []
        noise = policy.head.noise(tuple(data.reward.shape), self.rng).to(self.device)
        raw = self._raw.numpy()
        if self.acting is not None:
            self.acting.begin(self._raw, noise, data)
            if self._driver is not None:
                self._drive(self._driver, ended)
        for t in range(self.decisions if self._driver is None else 0):
            raw[t] = self._observation
            self._first[t] = self._begins
            if self.acting is None:
                self._act(t, noise[t])
            else:
                self.acting.act(t)

            observed, reward, terminated, truncated, info = self.env.step(
                policy.actions.to_env(data.action[t])
            )
            self._observation = self._rows(observed)
            self._check(self._observation, reward, f"at decision {t} of this rollout")
            self._reward[t], self._terminated[t], self._truncated[t] = reward, terminated, truncated
            self._return += reward
            self._length += 1
            self._begins = done = terminated | truncated
            if np.count_nonzero(done):
                cut = truncated & ~terminated
                if cut.any():
                    data.cut.append(self._final(t, cut, info))
                if self._ends and terminated.any():
                    data.ends.append(self._final(t, np.asarray(terminated, np.bool_), info))
                self._forget(done)
                ended.append((self._return[done], self._length[done]))
                self._return[done], self._length[done] = 0.0, 0
            if self._after_decision is not None:
                returns = ended[-1][0] if done.any() else np.zeros(0)
                if self._after_decision((t + 1) * self.env.num_envs, returns):
                    self._break_off(t, done)
        for tensor, array in (
            (data.reward, self._reward),
            (data.terminated, self._terminated),
            (data.truncated, self._truncated),
            (data.begins, self._first),
        ):
            tensor.copy_(torch.from_numpy(array))
        data.next_observation[:] = policy.normalised(self._tensor(self._observation))
        data.next_critic_state = self._critic_state
        returns, lengths = zip(*ended, strict=True) if ended else ((), ())
        return data, Episodes(
            np.concatenate([[], *returns]), np.concatenate([np.zeros(0, np.int64), *lengths])
        )

    def update_normaliser(self) -> None:
        """Take the last rollout's observations into the policy's normaliser, once its update is done."""
        if isinstance(self.policy.normaliser, RunningMoments):
            self.policy.normaliser.update(self.seen)

    def _drive(self, driver: Driver, ended: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """All T decisions by compiled code, which leaves to us what happens once a rollout, or once an episode."""
        raw = self._raw.numpy()
        raw[0] = self._observation
        course = driver.drive()
        done = course.terminated | course.truncated
        self._reward[:], self._terminated[:], self._truncated[:] = (
            course.reward,
            course.terminated,
            course.truncated,
        )
        self._first[0], self._first[1:] = self._begins, done[:-1]
        self._check_course(course)
        since = 0
        for t in np.flatnonzero(done.any(axis=1)).tolist():
            self._return += course.reward[since : t + 1].sum(axis=0)
            self._length += t + 1 - since
            since = t + 1
            if course.truncated[t].any():
                info = {"final_obs": course.final[t], "_final_obs": done[t]}
                self._buffers.cut.append(self._final(t, course.truncated[t], info))
            ended.append((self._return[done[t]], self._length[done[t]]))
            self._return[done[t]], self._length[done[t]] = 0.0, 0
        self._return += course.reward[since:].sum(axis=0)
        self._length += self.decisions - since
        self._begins = done[-1]
        self._observation = course.following

    def _check_course(self, course: Driven) -> None:
        """As `_check` and the environment do for each decision: nothing that is not finite goes on."""
        results = [*self._raw.numpy()[1:], course.following]
        fine = np.isfinite(self._raw.numpy()).all() and np.isfinite(course.action).all()
        if fine and np.isfinite(course.following).all() and np.abs(course.reward).max() <= _LARGEST:
            return
        for t, (action, observation, reward) in enumerate(
            zip(course.action, results, course.reward, strict=True)
        ):
            if not np.isfinite(action).all():
                index = int(np.flatnonzero(~np.isfinite(action).all(axis=1))[0])
                raise EnvironmentFault(
                    index,
                    f"was given the action {action[index].tolist()} at decision {t} of this rollout; every number "
                    "must be finite. The policy has most likely diverged.",
                )
            self._check(observation, reward, f"at decision {t} of this rollout")

    @property
    def seen(self) -> Float[Tensor, "T B V"]:
        """What a normaliser learns from: the vector part of the last rollout's observations, as they came."""
        return self._raw[..., : self.policy.layout.vectors].to(self.device)

    def _break_off(self, t: int, done: Bool[np.ndarray, "B"]) -> None:
        """All episodes that go on after decision t end there, as at a limit of steps, and new ones begin.

        They count among no returns: it was not the policy that ended them.
        """
        data, going = self._buffers, np.flatnonzero(~done)
        environments = torch.as_tensor(going, device=self.device)
        assert self._observation is not None
        state = None if self._critic_state is None else self._critic_state[environments]
        final = self.policy.normalised(self._tensor(self._observation[going]))
        if going.size:
            self._truncated[t, going] = True
            data.cut.append(Cut(t, environments, final, state))
        self.begin(None)

    def _act(self, t: int, noise: Float[Tensor, "B noise"]) -> None:
        """Decision t by torch: what the policy sees, does, and how likely that was, into the buffers."""
        data, policy = self._buffers, self.policy
        observation = policy.normalised(self._raw[t].to(self.device))
        output = self._advance(t, observation)
        action = policy.head.sample(output, noise)
        data.observation[t], data.action[t] = observation, action
        data.log_prob[t] = policy.head.log_probs(output, action)

    def _advance(self, t: int, observation: Float[Tensor, "B O"]) -> Float[Tensor, "B outputs"]:
        """What the policy says of decision t, and both memories taken one decision on."""
        data = self._buffers
        if data.policy_state is not None and self._policy_state is not None:
            data.policy_state[t] = self._policy_state
        output, self._policy_state = self.policy.step(observation, self._policy_state)
        if self.critic is not None and data.critic_state is not None and self._critic_state is not None:
            data.critic_state[t] = self._critic_state
            _, self._critic_state = self.critic.step(observation, self._critic_state)
        return output

    def _forget(self, begins: Bool[np.ndarray, "B"]) -> None:
        """Where an episode begins, nothing is remembered. New tensors: the rollout keeps the old ones."""
        self._begins = begins
        if self._policy_state is None and self._critic_state is None:
            return
        rows = torch.as_tensor(begins[:, None], device=self.device)
        if self._policy_state is not None:
            self._policy_state = self._policy_state.masked_fill(rows, 0.0)
        if self._critic_state is not None:
            self._critic_state = self._critic_state.masked_fill(rows, 0.0)

    def _final(self, t: int, cut: np.ndarray, info: dict[str, Any]) -> Cut:
        rows = np.flatnonzero(cut)
        final = self.policy.layout.final(info, cut)
        self._check(
            final, np.zeros(len(rows)), f"as its episode was cut at decision {t} of this rollout", rows
        )
        environments = torch.as_tensor(rows, device=self.device)
        state = None if self._critic_state is None else self._critic_state[environments]
        return Cut(t, environments, self.policy.normalised(self._tensor(final)), state)

    def _rows(self, observation: Any) -> np.ndarray:
        return self.policy.layout.flat(observation, self.env.num_envs)

    def _tensor(self, observation: np.ndarray | None) -> Tensor:
        return torch.as_tensor(observation, dtype=torch.float32, device=self.device)

    def _check(
        self, observation: np.ndarray, reward: np.ndarray, when: str, rows: np.ndarray | None = None
    ) -> None:
        """Stop a number that float32 cannot hold before it reaches normaliser and policy.

        Args:
            observation: (n, O).
            reward: (n,).
            when: for the message.
            rows: which environments these are of; all if None.
        """
        if np.isfinite(observation).all() and np.abs(reward).max(initial=0.0) <= _LARGEST:
            return
        fine_observation = np.asarray(np.isfinite(observation).all(axis=1))
        fine = fine_observation & (np.abs(reward) <= _LARGEST)
        place = int(np.flatnonzero(~fine)[0])
        index = place if rows is None else int(rows[place])
        what = "a reward" if fine_observation[place] else "an observation"
        raise EnvironmentFault(
            index,
            f"gave {what} that is not finite {when} (decision {self._length[index]} of its "
            f"episode); {int((~fine).sum())} of {self.env.num_envs} environments are affected. "
            "Look at the environment: the policy's own numbers were finite.",
        )


def _driver(env: VectorEnv, acting: Acting, decisions: int) -> Driver | None:
    # It imports numba, which takes half a second: only for runs that use it.
    from amble.training.drive import driver_for

    return driver_for(env, acting, decisions)
