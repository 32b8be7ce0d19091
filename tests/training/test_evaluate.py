"""Evaluation: whole episodes, shared out beforehand, the same for the same seed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import amble
import amble.envs
from amble.errors import AmbleError, UsageError
from amble.training.checkpoint import load_checkpoint
from amble.training.evaluate import MOST_ENVS, evaluate, play_episodes
from amble.training.policy import PortablePolicy
from factories import a_policy


class Scripted(PortablePolicy):
    """Always takes action 0."""

    def __init__(self) -> None:
        super().__init__(a_policy(), {})

    def act(self, observation: np.ndarray) -> np.ndarray:
        return np.zeros(len(observation), np.int64)


@pytest.fixture
def lengths() -> Callable[..., Any]:
    """Environments whose episodes are this long and pay 1 a decision."""

    def make(*limits: int) -> Any:
        env: Any = amble.envs.make("probes:Endless-v0", len(limits), backend="inprocess")
        for one, limit in zip(env.envs, limits, strict=True):
            one.unwrapped.limit = limit
        return env

    return make


class TestPlayEpisodes:
    def test_every_environment_plays_its_share(self, lengths: Callable[..., Any]) -> None:
        """The first four to end would all be of the short one, with a mean of 1 instead of 5.5."""
        played = play_episodes(lengths(1, 10), Scripted(), 4, seed=0)
        returns, counts = played.returns, played.lengths
        assert sorted(returns) == [1, 1, 10, 10]
        assert sorted(counts) == [1, 1, 10, 10]
        assert returns.tolist() == counts.tolist()  # each return beside its own length

    def test_shares_that_do_not_come_out_even(self, lengths: Callable[..., Any]) -> None:
        assert sorted(play_episodes(lengths(2, 3, 4), Scripted(), 4, seed=0).returns) == [2, 2, 3, 4]
        assert sorted(play_episodes(lengths(2, 3, 4), Scripted(), 2, seed=0).returns) == [2, 3]
        assert sorted(play_episodes(lengths(2), Scripted(), 3, seed=0).returns) == [2, 2, 2]


class TestEvaluate:
    def test_the_figures_of_the_contract(self, trained: Path) -> None:
        found = evaluate(trained, 7, seed=3)
        assert found["episodes"] == 7
        assert (found["seed"], found["env_steps"]) == (3, 64)
        assert found["return_min"] <= found["return_mean"] <= found["return_max"]
        assert found["return_std"] >= 0
        assert found["length_mean"] == found["return_mean"]  # CartPole pays 1 a decision
        assert json.loads(json.dumps(found)) == found

    def test_a_seed_gives_the_same_episodes_and_another_others(self, trained: Path) -> None:
        assert evaluate(trained, 5, seed=1) == evaluate(trained, 5, seed=1)
        assert evaluate(trained, 5, seed=1) != {**evaluate(trained, 5, seed=2), "seed": 1}
        assert evaluate(trained, 5, seed=None) == evaluate(trained, 5, seed=0)

    def test_nothing_on_disk_changes(self, trained: Path) -> None:
        before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
        evaluate(trained, 3, seed=0)
        assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before

    def test_more_episodes_than_environments(self, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert MOST_ENVS >= 10
        monkeypatch.setattr("amble.training.evaluate.MOST_ENVS", 2)
        assert evaluate(trained, 5, seed=0)["episodes"] == 5

    def test_at_least_one_episode(self, trained: Path) -> None:
        with pytest.raises(UsageError, match="at least one episode is played; got episodes = 0"):
            evaluate(trained, 0, seed=0)

    def test_a_run_without_a_policy(self, tmp_path: Path) -> None:
        with pytest.raises(AmbleError, match="no policy is there"):
            evaluate(tmp_path, 1, seed=0)


class TestOfACheckpoint:
    """`RUN@STEP`: the policy as it was then."""

    def test_the_last_one_is_the_runs_policy(self, trained: Path) -> None:
        assert evaluate(Path(f"{trained}@64"), 5, seed=1) == evaluate(trained, 5, seed=1)
        assert evaluate(Path(f"{trained}@latest"), 5, seed=1) == evaluate(trained, 5, seed=1)

    def test_an_earlier_one_is_another(self, trained: Path) -> None:
        earlier, last = PortablePolicy.of_run(f"{trained}@32"), PortablePolicy.of_run(trained)
        assert (earlier.spec["env_steps"], last.spec["env_steps"]) == (32, 64)
        assert {**earlier.spec, "env_steps": 64} == last.spec
        then, now = earlier.policy.state_dict(), last.policy.state_dict()
        assert any(not torch.equal(then[name], now[name]) for name in now)
        saved, _ = load_checkpoint(trained / "checkpoints/step-000000000032")
        assert all(torch.equal(then[name], saved[f"policy.{name}"]) for name in then)

    def test_from_python(self, trained: Path) -> None:
        observation = np.ones((3, 4), np.float32)
        earlier = PortablePolicy.of_run(f"{trained}@32")
        assert amble.load(f"{trained}@32").act(observation).tolist() == earlier.act(observation).tolist()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("trained@40", "trained@40: .* has no checkpoint of step 40. The nearest is 32"),
            ("nobody@32", "nobody@32: there is no run"),
        ],
    )
    def test_what_is_not_there(self, trained: Path, text: str, words: str) -> None:
        with pytest.raises(UsageError, match=words) as failure:
            evaluate(trained.parent / text, 1, seed=0)
        assert "--branch-from" not in str(failure.value)

    def test_one_of_several_behaviours_is_not_played_alone(self, trained: Path, tmp_path: Path) -> None:
        shutil.copytree(trained, tmp_path / "Striker")
        (tmp_path / "run.yaml").write_text("")
        with pytest.raises(UsageError, match="one of several behaviours, which act together"):
            evaluate(tmp_path / "Striker@32", 1, seed=0)

    def test_a_folder_with_an_at_in_its_name_is_a_run(self, trained: Path, tmp_path: Path) -> None:
        shutil.copytree(trained, tmp_path / "mine@home")
        assert evaluate(tmp_path / "mine@home", 2, seed=0) == evaluate(trained, 2, seed=0)
        assert evaluate(tmp_path / "mine@home@32", 2, seed=0)["env_steps"] == 32


class TestPortablePolicy:
    def test_it_acts_as_the_trained_one(self, trained: Path) -> None:
        policy = PortablePolicy.load(trained / "policy")
        observation = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        mode = policy._policy.mode(torch.as_tensor(observation))
        assert policy.act(observation).tolist() == mode.tolist()
        assert policy.act(observation.astype(np.float64)).tolist() == mode.tolist()

    def test_acting_leaves_its_normaliser_alone(self, trained: Path) -> None:
        policy = PortablePolicy.load(trained / "policy")
        normaliser = policy._policy.normaliser
        assert normaliser is not None
        assert normaliser.count > 0
        before = [value.clone() for value in normaliser.state_dict().values()]
        policy.act(np.full((5, 4), 100.0))
        assert all(map(torch.equal, before, normaliser.state_dict().values()))
        assert not any(p.requires_grad for p in policy._policy.parameters())

    def test_its_spec_says_what_it_is_for(self, trained: Path) -> None:
        spec = PortablePolicy.load(trained / "policy").spec
        assert spec["env_id"] == "CartPole-v1"
        assert spec["action_space"]["type"] == "Discrete"
        assert (spec["hidden"], spec["activation"], spec["normalise"]) == ([8], "tanh", True)
        assert spec["reward"]["extrinsic"]["gamma"] == 0.99
