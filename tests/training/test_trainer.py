"""The loop over iterations: the same run from the same seed, and a run that goes on as if it had never stopped."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from amble.config import run_from_env
from amble.errors import AmbleError, UsageError
from amble.training.checkpoint import load_checkpoint, save_checkpoint
from amble.training.metrics import REQUIRED
from amble.training.trainer import Trainer, default_num_envs
from amble.unity.demonstrations import encode
from signals_helpers import a_demonstration

CLOCKS = ("wall_seconds", "steps_per_second", "collect_seconds", "update_seconds")
SMALL = {
    "hyperparameters.buffer_size": 16,
    "hyperparameters.batch_size": 8,
    "hyperparameters.num_epoch": 2,
    "network_settings.hidden_units": 8,
    "network_settings.num_layers": 1,
    "env_settings.num_envs": 4,
    "env_settings.backend": "inprocess",
    "env_settings.seed": 0,
    "max_steps": 160,
}

MEMORY = {
    "network_settings.memory.memory_size": 4,
    "network_settings.memory.sequence_length": 2,
}
_NO_EPOCHS = {"hyperparameters.num_epoch": None}
_SIGNALS = {"hyperparameters.learning_rate": 1e-3, "reward_signals.extrinsic.gamma": 0.9}
_DEMO = "probe.demo"
"""Of `Discounting` with continuous actions; written where a test runs."""
_SEPARATE = {**_NO_EPOCHS, "hyperparameters.critic_epochs": 2}
_SCHEDULED = {"hyperparameters.learning_rate": 1e-3, "hyperparameters.beta": 0.01}
_TD = {"hyperparameters.lambd": 0.5}
TRAINERS: dict[str, dict[str, Any]] = {
    "ppo": {"hyperparameters.learning_rate": 1e-3},
    "ppo adaptive": {
        "hyperparameters.learning_rate": 1e-3,
        "hyperparameters.learning_rate_schedule": "adaptive",
        "hyperparameters.desired_kl": 1e-9,
    },
    "ppo kl_penalty": {
        "hyperparameters.learning_rate": 1e-3,
        "hyperparameters.objective": "kl_penalty",
        "hyperparameters.desired_kl": 1e-6,
    },
    "ppo memory": {"hyperparameters.learning_rate": 1e-3, **MEMORY},
    "ppo layer norm": {"hyperparameters.learning_rate": 1e-3, "network_settings.layer_norm": "true"},
    "ppo curiosity": {**_SIGNALS, "reward_signals.curiosity.strength": 0.1},
    "ppo rnd": {
        **_SIGNALS,
        "reward_signals.rnd.network_settings.normalize": "true",
        "network_settings.normalize": "false",
    },
    "ppo gail": {
        **_SIGNALS,
        "reward_signals.gail.demo_path": _DEMO,
        "reward_signals.gail.use_actions": "true",
        "reward_signals.gail.use_vail": "true",
    },
    "ppo cloning": {**_SIGNALS, "behavioral_cloning.demo_path": _DEMO, "behavioral_cloning.steps": 1000},
    "ppo memory, all signals": {
        **_SIGNALS,
        **MEMORY,
        "reward_signals.curiosity.strength": 0.1,
        "reward_signals.rnd.strength": 0.1,
        "reward_signals.gail.demo_path": _DEMO,
        "behavioral_cloning.demo_path": _DEMO,
    },
    "a2c": {**_NO_EPOCHS, "hyperparameters.batch_size": None, **_SCHEDULED},
    "trpo": {**_SEPARATE, "hyperparameters.beta": 0.01},
    "pg reward_to_go": {**_SEPARATE, **_SCHEDULED, "hyperparameters.estimator": "reward_to_go"},
    "pg advantage": {**_SEPARATE, **_SCHEDULED, **_TD, "hyperparameters.estimator": "advantage"},
    "pg gae memory": {**_SEPARATE, **_SCHEDULED, **_TD, **MEMORY},
}
"""What each trainer changes of SMALL (None: has no such key); the first word is its type."""
EVERY = pytest.mark.parametrize("kind", TRAINERS)


@pytest.fixture
def trainer() -> Iterator[Callable[..., Trainer]]:
    """Small trainers on a probe, with T = 4 and B = 4 unless the settings say otherwise."""
    made: list[Trainer] = []

    def make(probe: str = "SeenAction", kind: str = "ppo", **settings: Any) -> Trainer:
        settings = {**SMALL, **({} if kind == "ppo" else TRAINERS[kind]), **settings}
        overrides = [f"{key}={value}" for key, value in settings.items() if value is not None]
        made.append(Trainer(run_from_env(f"probes:{probe}-v0", kind.split(maxsplit=1)[0], overrides)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def figures(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in CLOCKS}


def snapshot(t: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Of everything that is saved, but for the seconds it took."""
    tensors = {name: value.detach().clone() for name, value in t.tensors().items()}
    return tensors, {key: value for key, value in t.state().items() if key != "wall_seconds"}


def same(a: tuple[dict[str, Tensor], dict[str, Any]], b: tuple[dict[str, Tensor], dict[str, Any]]) -> bool:
    return (
        a[1] == b[1]
        and a[0].keys() == b[0].keys()
        and all(torch.equal(a[0][name], b[0][name]) for name in a[0])
    )


class TestSameRun:
    @pytest.mark.parametrize("continuous", ["true", "false"])
    def test_the_same_seed_gives_it_bit_for_bit(
        self, trainer: Callable[..., Trainer], continuous: str
    ) -> None:
        settings = {"env_settings.env_kwargs.continuous": continuous}
        one, two = trainer(**settings), trainer(**settings)
        for k in range(3):
            torch.manual_seed(k)  # torch's global generator has no part in it
            row = one.iterate()
            torch.manual_seed(100 + k)
            assert figures(two.iterate()) == figures(row)
        assert same(snapshot(one), snapshot(two))

    def test_another_seed_gives_another(self, trainer: Callable[..., Trainer]) -> None:
        one, two = trainer(), trainer(**{"env_settings.seed": 1})
        assert not torch.equal(one.policy.actor[0].weight, two.policy.actor[0].weight)  # type: ignore[arg-type]
        one.iterate()
        two.iterate()
        assert not torch.equal(one.collector._buffers.observation, two.collector._buffers.observation)
        assert not torch.equal(one.collector._buffers.log_prob, two.collector._buffers.log_prob)

    def test_nothing_happens_before_the_first_iteration(self, trainer: Callable[..., Trainer]) -> None:
        t = trainer()
        assert (t.env_steps, t.iteration, t.wall_seconds) == (0, 0, 0.0)
        assert t.policy.normaliser is not None
        assert t.policy.normaliser.count == 0


class TestIteration:
    def test_a_row_has_every_figure_of_the_contract(self, trainer: Callable[..., Trainer]) -> None:
        t = trainer()
        t.iterate()
        row = t.iterate()
        assert set(REQUIRED) <= set(row)
        assert (row["iteration"], row["env_steps"], row["episodes"]) == (2, 32, 16)
        assert row["wall_seconds"] == t.wall_seconds > 0
        assert row["steps_per_second"] == pytest.approx(16 / (row["collect_seconds"] + row["update_seconds"]))  # type: ignore[operator]
        assert row["length_mean"] == 1
        assert row["return_mean"] == row["extrinsic_reward"]  # every episode is one decision

    def test_null_where_no_episode_ended(self, trainer: Callable[..., Trainer]) -> None:
        row = trainer("Endless", **{"env_settings.env_kwargs.limit": 1000}).iterate()
        assert [row[key] for key in ("return_mean", "return_std", "length_mean", "episodes")] == [
            None
        ] * 3 + [0]

    @pytest.mark.parametrize("learner", ["torch", "fused"])
    @pytest.mark.parametrize("ratio", ["joint", "per_dimension"])
    @pytest.mark.parametrize("normalize", ["true", "false"])
    def test_every_ratio_is_1_before_the_first_step(
        self,
        trainer: Callable[..., Trainer],
        monkeypatch: pytest.MonkeyPatch,
        ratio: str,
        normalize: str,
        learner: str,
    ) -> None:
        """To rounding: the rollout's and the minibatch's matrix products have other shapes, and sum in other orders."""
        t = trainer(
            **{
                "hyperparameters.ratio": ratio,
                "network_settings.normalize": normalize,
                "env_settings.env_kwargs.continuous": "true",
                "hyperparameters.learning_rate": 1e-2,
                "torch_settings.learner": learner,
            }
        )
        ratios: list[Tensor] = []
        original = t.algorithm.epoch

        def ratio_now(samples: Any) -> Tensor:
            with torch.no_grad():
                now = t.policy.head.log_probs(t.policy(samples.observation), samples.action)
            return torch.exp(now - samples.log_prob)

        def recorded(samples: Any, *arguments: Any) -> Any:
            ratios.append(ratio_now(samples))
            result = original(samples, *arguments)
            ratios.append(ratio_now(samples))
            return result

        monkeypatch.setattr(t.algorithm, "epoch", recorded)
        for _ in range(4):
            ratios.clear()
            t.iterate()
            assert len(ratios) == 4
            assert (ratios[0] - 1).abs().max() < 1e-5
            assert (ratios[-1] - 1).abs().max() > 1e-3

    @pytest.mark.parametrize("probe", ["Clock", "Endless"])
    def test_with_a_memory_too(
        self, trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch, probe: str
    ) -> None:
        """Episodes of 3 decisions, rollouts of 8 in sequences of 4: ends and time limits lie inside of them."""
        length = "length" if probe == "Clock" else "limit"
        t = trainer(
            probe,
            **{
                **MEMORY,
                "network_settings.memory.sequence_length": 4,
                "hyperparameters.buffer_size": 32,
                "hyperparameters.learning_rate": 1e-2,
                "env_settings.env_kwargs.continuous": "true",
                f"env_settings.env_kwargs.{length}": 3,
            },
        )
        ratios: list[Tensor] = []
        original = t.algorithm._loss

        def recorded(batch: Any, epsilon: float, beta: float) -> Any:
            with torch.no_grad():
                now = t.policy.head.log_probs(t.policy(batch.observation, batch.policy_memory), batch.action)
                value = t.critic(batch.observation, batch.critic_memory)
            if not ratios:
                torch.testing.assert_close(value, batch.value_old, atol=1e-4, rtol=1e-4)
            ratios.append(torch.exp(now - batch.log_prob))
            return original(batch, epsilon, beta)

        monkeypatch.setattr(t.algorithm, "_loss", recorded)
        inside, remembered = 0, False
        for _ in range(4):
            ratios.clear()
            t.iterate()
            data = t.collector._buffers
            assert data.policy_state is not None
            inside += int(data.samples(data.begins)[:, 1:].sum())
            assert (data.policy_state[data.begins] == 0).all()
            assert (ratios[0] - 1).abs().max() < 1e-5
            assert (ratios[-1] - 1).abs().max() > 1e-4
            remembered |= bool((data.policy_state != 0).any())
        assert inside > 0
        assert remembered

    def test_the_normaliser_takes_the_rollout_in_when_its_update_is_done(
        self, trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        t = trainer()
        assert t.policy.normaliser is not None
        normaliser, update = t.policy.normaliser, t.algorithm.update
        counts: list[float] = []

        def watched(*args: Any) -> dict[str, float]:
            counts.append(float(normaliser.count))
            result = update(*args)
            counts.append(float(normaliser.count))
            return result

        monkeypatch.setattr(t.algorithm, "update", watched)
        t.iterate()
        t.iterate()
        warm_up = 16 * 4
        assert counts == [warm_up, warm_up, warm_up + 16, warm_up + 16]
        assert normaliser.count == warm_up + 32

    def test_schedules_follow_the_environment_steps(self, trainer: Callable[..., Trainer]) -> None:
        """16 steps an iteration, 160 in all: a tenth of the learning rate each."""
        t = trainer(
            **{"hyperparameters.learning_rate": 1e-3, "hyperparameters.learning_rate_schedule": "linear"}
        )
        rates = [t.iterate()["learning_rate"] for _ in range(3)]
        assert rates == pytest.approx([1e-3, 0.9e-3, 0.8e-3], rel=1e-6)

    def test_a_number_that_is_not_finite_stops_the_run_before_it_is_learned(
        self, trainer: Callable[..., Trainer]
    ) -> None:
        t = trainer("Clock", **{"network_settings.normalize": "false"})
        t.iterate()
        before = snapshot(t)[0]
        t.env.envs[2].unwrapped.trouble = "reward"  # type: ignore[attr-defined]
        t.env.envs[2].unwrapped.at = 5  # type: ignore[attr-defined]
        with pytest.raises(AmbleError, match="Environment 2 gave a reward that is not finite at decision 1"):
            t.iterate()
        after = snapshot(t)[0]
        assert all(torch.equal(before[name], after[name]) for name in before)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_on_a_gpu(self, trainer: Callable[..., Trainer], tmp_path: Path) -> None:
        t = trainer("Endless", **{"torch_settings.device": "cuda", "env_settings.env_kwargs.limit": 3})
        t.iterate()
        saved = save_checkpoint(tmp_path / "checkpoints", t.env_steps, t.tensors(), t.state())
        other = trainer("Endless", **{"torch_settings.device": "cuda", "env_settings.env_kwargs.limit": 3})
        other.restore(*load_checkpoint(saved))
        assert other.iterate()["skipped_steps"] == 0


class TestLoop:
    def run(self, t: Trainer, stop_after: int | None = None) -> tuple[str, list[int], list[int]]:
        rows: list[int] = []
        saved: list[int] = []
        reason = t.run(
            on_row=lambda row: rows.append(int(row["env_steps"] or 0)),
            on_checkpoint=lambda: saved.append(t.env_steps),
            should_stop=lambda: len(rows) == stop_after,
        )
        return reason, rows, saved

    def test_to_the_end(self, trainer: Callable[..., Trainer]) -> None:
        t = trainer(max_steps=70, checkpoint_interval=40)
        assert self.run(t) == ("done", [16, 32, 48, 64, 80], [48, 80])

    def test_until_asked_to_stop(self, trainer: Callable[..., Trainer]) -> None:
        t = trainer()
        assert self.run(t, stop_after=2) == ("stopped", [16, 32], [])
        assert self.run(t)[1][0] == 48

    def test_until_the_time_is_up(self, trainer: Callable[..., Trainer]) -> None:
        assert self.run(trainer(time_limit=1e-6))[:2] == ("time_limit", [16])

    def test_a_run_that_is_done_stays_so(self, trainer: Callable[..., Trainer]) -> None:
        t = trainer(max_steps=16)
        self.run(t)
        assert self.run(t) == ("done", [], [])

    def test_an_interval_shorter_than_an_iteration(self, trainer: Callable[..., Trainer]) -> None:
        assert self.run(trainer(max_steps=32, checkpoint_interval=1))[2] == [16, 32]


class TestResume:
    """`Discounting` shows and pays the same in every episode of two decisions, so a resumed run can be the same one."""

    @pytest.fixture(autouse=True)
    def _demonstration(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path(_DEMO).write_bytes(encode(a_demonstration((1,), continuous=1, episodes=(2, 2, 2))))

    def trainers(self, trainer: Callable[..., Trainer], kind: str) -> Callable[[], Trainer]:
        return lambda: trainer(
            "Discounting", kind, **{"env_settings.env_kwargs.continuous": "true", **TRAINERS[kind]}
        )

    @EVERY
    def test_it_goes_on_bit_for_bit(self, trainer: Callable[..., Trainer], kind: str, tmp_path: Path) -> None:
        make = self.trainers(trainer, kind)
        straight, first, second = make(), make(), make()
        expected = [figures(straight.iterate()) for _ in range(4)]
        rows = [figures(first.iterate()) for _ in range(2)]
        path = save_checkpoint(tmp_path / "checkpoints", first.env_steps, first.tensors(), first.state())
        second.restore(*load_checkpoint(path))
        assert same(snapshot(second), snapshot(first))
        assert second.state() == first.state()
        rows += [figures(second.iterate()) for _ in range(2)]
        assert rows == expected
        assert same(snapshot(second), snapshot(straight))

    @EVERY
    def test_no_field_can_be_left_out(self, trainer: Callable[..., Trainer], kind: str) -> None:
        """Each is set back to that of a new run in turn: the run that goes on must be another one."""
        make = self.trainers(trainer, kind)
        new, half = make(), make()
        for _ in range(2):
            half.iterate()
        tensors, state = snapshot(half)
        state["wall_seconds"] = half.wall_seconds
        fresh = {name: torch.zeros_like(tensors[name]) for name in tensors} | snapshot(new)[0]
        half.iterate()
        expected = snapshot(half)
        assert {name.split(".")[0] for name in tensors} == {*half.algorithm.networks, "optimiser"}
        # The one never learns and is the same of the same seed; so little passes the bottleneck that it is free.
        learned = [name for name in tensors if not name.startswith("rnd.target.net") and name != "gail.beta"]
        for name in learned:
            assert not torch.equal(fresh[name], tensors[name]), name
        # Field by field the other kinds have it all; of their meeting it takes too long.
        for part in {name.split(".")[0] if "all signals" in kind else name for name in learned}:
            anew = {name: fresh[name] for name in tensors if name == part or name.startswith(f"{part}.")}
            assert not same(self.gone_on(make, {**tensors, **anew}, state), expected), part
        # The whole rollout is one minibatch to these; and none of them has lessons.
        unused = {"lessons", *(["minibatches"] if kind in ("a2c", "pg reward_to_go") else [])}
        for key in set(state) - {"wall_seconds"} - unused:
            assert not same(self.gone_on(make, tensors, {**state, key: new.state()[key]}), expected), key
        assert same(self.gone_on(make, tensors, state), expected)

    def gone_on(self, make: Callable[[], Trainer], tensors: dict[str, Tensor], state: dict[str, Any]) -> Any:
        t = make()
        t.restore(copy.deepcopy(tensors), state)
        t.iterate()
        return snapshot(t)

    def test_it_lives_through_other_episodes(self, trainer: Callable[..., Trainer]) -> None:
        first, second = trainer(), trainer()
        first.iterate()
        seen = first.collector._raw.clone()
        second.restore(first.tensors(), first.state())
        second.iterate()
        assert not torch.equal(second.collector._raw, seen)

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"network_settings.hidden_units": 9}, "policy"),
            ({"network_settings.num_layers": 2}, "policy"),
            ({"network_settings.normalize": "false"}, "policy"),
            ({"env_settings.env_kwargs.continuous": "true"}, "policy"),
            ({"hyperparameters.normalize_returns": "false"}, "critic"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
    )
    def test_networks_that_do_not_fit_are_refused(
        self, trainer: Callable[..., Trainer], change: dict[str, Any], part: str
    ) -> None:
        tensors = trainer().tensors()
        with pytest.raises(
            UsageError, match=rf"The checkpoint's {part} does not fit .* Use the network_settings"
        ):
            trainer(**change).load_weights(tensors)


@pytest.mark.parametrize(
    ("env_id", "trainer_type", "buffer_size", "expected"),
    [
        ("amble/Walker-v0", "ppo", 20480, 256),  # 80 decisions each
        ("amble/3DBall-v0", "ppo", 12000, 250),  # 48; 251 … 256 do not divide it
        ("CartPole-v1", "a2c", 1024, 8),
        ("CartPole-v1", "a2c", 1023, 3),  # 1023 = 3·11·31
        ("CartPole-v1", "a2c", 4, 4),
        ("CartPole-v1", "a2c", 2039, 1),  # a prime
        ("CartPole-v1", "a3c", 20, 8),  # two workers of four
        ("CartPole-v1", "a3c", 9, 6),  # two workers of three
    ],
)
def test_the_number_of_environments_divides_the_rollout(
    env_id: str, trainer_type: str, buffer_size: int, expected: int
) -> None:
    _, behavior = run_from_env(env_id, trainer_type, [f"hyperparameters.buffer_size={buffer_size}"]).behavior
    assert default_num_envs(env_id, behavior) == expected


def test_a_device_that_is_not_there(trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UsageError, match=r"torch_settings\.device is cuda, but this torch sees no CUDA device"
    ):
        trainer(**{"torch_settings.device": "cuda"})


class TestMirror:
    def test_of_a_body_that_says_how_it_looks_there(self) -> None:
        settings = {**SMALL, "env_settings.backend": None, "hyperparameters.mirror": True}
        overrides = [f"{key}={value}" for key, value in settings.items() if value is not None]
        walker = Trainer(run_from_env("amble/Walker-v0", "ppo", overrides))
        assert "half of the samples in a mirror" in walker.algorithm.describe()
        assert walker.iterate()["skipped_steps"] == 0
        walker.close()

    def test_no_other_is_shown_one(self, trainer: Callable[..., Trainer]) -> None:
        with pytest.raises(
            UsageError, match=r"hyperparameters\.mirror: this environment does not say what it looks like"
        ):
            trainer(**{"hyperparameters.mirror": True})

    @pytest.mark.parametrize(
        ("env_id", "more", "mirrored"),
        [
            ("Walker2d-v5", (), True),
            ("Walker2d-v5", ("hyperparameters.distribution=beta",), False),  # whose actions have no image
            ("Walker2d-v5", ("network_settings.memory.sequence_length=4",), False),  # nor what is remembered
            ("Hopper-v5", (), False),  # its own mirror image
            ("Pendulum-v1", (), False),  # does not say
        ],
    )
    def test_auto_shows_one_where_there_is_one(
        self, env_id: str, more: tuple[str, ...], mirrored: bool
    ) -> None:
        own = {"env_settings.backend": None, "hyperparameters.mirror": "auto"}
        settings = {key: value for key, value in {**SMALL, **own}.items() if value is not None}
        config = run_from_env(env_id, "ppo", [*(f"{key}={value}" for key, value in settings.items()), *more])
        made = Trainer(config)
        assert ("in a mirror" in made.algorithm.describe()) is mirrored
        made.close()
