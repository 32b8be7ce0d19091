"""Who gets the fused learner, who is refused it and told why, and what a whole run by it gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.algorithms.a2c import A2C
from amble.algorithms.algorithm import Algorithm
from amble.algorithms.pg import PG
from amble.algorithms.ppo import PPO
from amble.config import A3CHyperparameters, RndReward, RunConfig, run_from_env
from amble.errors import AmbleError, UsageError
from amble.learner.choice import Choice, choose, not_served
from amble.learner.fused.acting import FusedActing
from amble.learner.fused.epochs import FusedEpochs
from amble.learner.fused.steps import FusedA2CStep, FusedFit, FusedPGStep
from amble.signals.rnd import Rnd
from amble.training.policy import PortablePolicy
from amble.training.policy_files import read_policy
from amble.training.run import make_trainer, train
from factories import POLICIES, a_a2c, a_critic, a_pg, a_ppo, a_trpo, rng, rollout_of
from signals_helpers import SHAPE

CPU = torch.device("cpu")
IMAGE = spaces.Box(0, 255, (36, 36, 3), np.uint8)


def a_a3c() -> A2C:
    """What a run of a3c has in its main process."""
    a2c = a_a2c()
    a2c.settings = A3CHyperparameters.model_validate(a2c.settings.model_dump())
    return a2c


def a_curious_ppo() -> PPO:
    ppo = a_ppo()
    signals = [*ppo.signals, a_rnd(ppo.policy)]
    return PPO(ppo.policy, a_critic(rewards=2), ppo.settings, ppo.problem, rng(), signals=signals)


def a_rnd(policy: Any) -> Rnd:
    return Rnd(policy, RndReward(), SHAPE, rng())


REFUSED: dict[str, tuple[Any, str]] = {
    "beta": (lambda: a_ppo(**POLICIES["beta"]), "does not know the policy's BetaHead"),
    "hybrid": (lambda: a_ppo(**POLICIES["hybrid"]), "does not know the policy's HybridHead"),
    "masked": (lambda: a_ppo(**POLICIES["masked"]), "takes plain vectors, and the observation holds"),
    "memory": (lambda: a_ppo(**POLICIES["memory"]), "has no memory, and the networks do"),
    "images": (
        lambda: a_ppo(observation_space=IMAGE),
        "takes plain vectors, and the observation holds images",
    ),
    "choices": (
        lambda: a_ppo(observation_space=spaces.Discrete(4)),
        "plain vectors, and the observation holds",
    ),
    "a2c with a memory": (lambda: a_a2c(**POLICIES["memory"]), "has no memory, and the networks do"),
    "pg with a mask": (lambda: a_pg(**POLICIES["masked"]), "takes plain vectors, and the observation holds"),
    "a3c": (a_a3c, "shares no parameters between processes, and trainer a3c's workers do"),
    "another reward": (a_curious_ppo, "knows the extrinsic reward alone, and rnd pays too"),
    "trpo": (a_trpo, "the steps of trainers ppo, a2c and pg, not TRPO's"),
}


def is_fused(algorithm: Algorithm) -> bool:
    match algorithm:
        case PPO():
            return isinstance(algorithm.epoch, FusedEpochs)
        case A2C():
            return isinstance(algorithm.step, FusedA2CStep)
        case PG():
            return isinstance(algorithm.step, FusedPGStep) and isinstance(algorithm.fit, FusedFit)
    return False


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind not in REFUSED])
@pytest.mark.parametrize("wanted", ["auto", "fused"])
def test_served(kind: str, wanted: Any) -> None:
    ppo = a_ppo(**POLICIES[kind])
    chosen = choose(ppo, wanted, CPU)
    assert chosen.words == "fused learner"
    assert isinstance(chosen.acting, FusedActing)
    assert is_fused(ppo)


@pytest.mark.parametrize("make", [a_a2c, a_pg, lambda: a_pg("q"), lambda: a_pg("total_return")])
def test_other_trainers_are_served(make: Any) -> None:
    algorithm = make()
    assert isinstance(choose(algorithm, "fused", CPU).acting, FusedActing)
    assert is_fused(algorithm)
    assert np.isfinite(algorithm.update(rollout_of(algorithm), 0)["policy_loss"])


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_the_reason(kind: str) -> None:
    make, reason = REFUSED[kind]
    with pytest.raises(
        UsageError, match=f"torch_settings.learner is fused, but .*{reason}.* Use torch, or auto"
    ):
        choose(make(), "fused", CPU)


@pytest.mark.parametrize("kind", REFUSED)
def test_auto_falls_back_and_says_why(kind: str) -> None:
    make, reason = REFUSED[kind]
    algorithm = make()
    chosen = choose(algorithm, "auto", CPU)
    assert chosen.words.startswith("torch learner (")
    assert reason in chosen.words
    assert chosen.acting is None
    assert not is_fused(algorithm)


def test_another_device_is_not_served() -> None:
    assert not_served(a_ppo(), torch.device("cuda", 0)) == (
        "the fused learner runs on the cpu, and the device is cuda:0"
    )


def test_torch_is_torch() -> None:
    ppo = a_ppo()
    assert choose(ppo, "torch", CPU) == Choice("torch learner")
    assert not is_fused(ppo)


def a_run(folder: Path, learner: str, **more: Any) -> RunConfig:
    settings = {
        "hyperparameters.buffer_size": 128,
        "hyperparameters.batch_size": 32,
        "hyperparameters.num_epoch": 2,
        "network_settings.hidden_units": 8,
        "network_settings.num_layers": 2,
        "max_steps": 512,
        "env_settings.seed": 3,
        "env_settings.num_envs": 4,
        "env_settings.backend": "inprocess",
        "checkpoint_settings.results_dir": folder,
        "checkpoint_settings.run_id": learner,
        "torch_settings.learner": learner,
        **more,
    }
    env = settings.pop("env", "CartPole-v1")
    return run_from_env(env, "ppo", [f"{key}={value}" for key, value in settings.items()])


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("env", "layer_norm"), [("CartPole-v1", False), ("Pendulum-v1", False), ("Pendulum-v1", True)]
)
def test_a_whole_run_is_the_same_by_either(env: str, layer_norm: bool, tmp_path: Path) -> None:
    more = {"network_settings.normalize": True, "network_settings.layer_norm": layer_norm}
    for learner in ("torch", "fused"):
        assert train(a_run(tmp_path, learner, env=env, **more)) == 0
    theirs, ours = rows(tmp_path, "torch"), rows(tmp_path, "fused")
    assert len(ours) == len(theirs) == 4
    told = (
        "policy_loss",
        "value_loss",
        "entropy",
        "kl",
        "grad_norm",
        "ratio",
        "learning_rate",
    )
    for a, b in zip(ours, theirs, strict=True):
        for name in told:
            assert a[name] == pytest.approx(b[name], rel=5e-3, abs=1e-4), name
        assert a["skipped_steps"] == b["skipped_steps"] == 0
        assert a["episodes"] == b["episodes"]


def test_a_resumed_run_may_change_its_learner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(a_run(tmp_path, "fused", max_steps=256))
    again = {"checkpoint_settings.run_id": "fused", "checkpoint_settings.resume": "true"}
    train(a_run(tmp_path, "torch", **again))
    assert len(rows(tmp_path, "fused")) == 4
    told = capsys.readouterr()
    assert "torch_settings.learner: fused → torch" in told.out + told.err


def test_a_run_with_layer_norm_is_resumed_and_its_policy_acts_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policy's files alone say that it has layer norm; a run without does not go on from one with."""
    norm = {"network_settings.layer_norm": "true"}
    train(a_run(tmp_path, "fused", max_steps=256, **norm))
    folder = tmp_path / "fused" / "policy"
    tensors, spec = read_policy(folder)
    assert spec["layer_norm"] is True
    assert tensors["actor.1.weight"].shape == tensors["actor.1.bias"].shape == (8,)
    assert not torch.equal(tensors["actor.1.weight"], torch.ones(8))  # it has learned
    observation = torch.randn(50, 4, generator=rng(1))
    x = torch.nn.functional.layer_norm(
        observation @ tensors["actor.0.weight"].T + tensors["actor.0.bias"],
        (8,),
        tensors["actor.1.weight"],
        tensors["actor.1.bias"],
    )
    policy = PortablePolicy.load(folder)
    torch.testing.assert_close(policy._policy.actor[:2](observation), x)

    with pytest.raises(UsageError, match=r"checkpoint's policy does not fit .* Use the network_settings"):
        train(a_run(tmp_path, "fused", **{"checkpoint_settings.resume": "true"}))
    train(a_run(tmp_path, "fused", **norm, **{"checkpoint_settings.resume": "true"}))
    assert "Resuming at step 256." in "".join(capsys.readouterr())
    assert [row["env_steps"] for row in rows(tmp_path, "fused")] == [128, 256, 384, 512]


def test_the_run_says_who_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(a_run(tmp_path, "auto", max_steps=128))
    told = capsys.readouterr()
    assert ", fused learner, seed 3;" in told.out + told.err


def test_what_cannot_be_served_writes_nothing(tmp_path: Path) -> None:
    config = a_run(tmp_path, "fused", env="Pendulum-v1", **{"hyperparameters.distribution": "beta"})
    with pytest.raises(UsageError, match=r"torch_settings.learner is fused, but .*BetaHead"):
        train(config)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_learner_is_refused_by_name() -> None:
    with pytest.raises(
        AmbleError, match=r"`torch_settings.learner` must be one of 'auto', 'torch' or 'fused'"
    ):
        run_from_env("CartPole-v1", "ppo", ["torch_settings.learner=fussed"])


def _python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_numba_is_loaded_by_training_alone(tmp_path: Path) -> None:
    heard = _python(
        "import sys, amble, amble.training.run, amble.cli\n"
        "print('numba' in sys.modules, 'scipy' in sys.modules)"
    )
    assert heard == "False False"


def test_compiled_kernels_are_found_again_and_do_without_a_cache(tmp_path: Path) -> None:
    """Where no folder can be written, importing and decorating still work."""
    code = "from amble.learner.fused.epoch import epoch\nprint(epoch.stats.cache_path)"
    assert _python(code, NUMBA_CACHE_DIR=str(tmp_path)).startswith(str(tmp_path))
    nowhere = {"NUMBA_CACHE_DIR": "/proc/nowhere", "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    assert _python(code, **nowhere) == "None"


def test_learning_goes_on_with_make_trainer(tmp_path: Path) -> None:
    trainer = make_trainer(a_run(tmp_path, "auto"))
    try:
        assert trainer.gradient_steps == "fused learner"
        assert trainer.iterate()["skipped_steps"] == 0
    finally:
        trainer.close()
