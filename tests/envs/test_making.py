"""`make`: each backend against environments stepped one by one, the choice between them, and bad requests."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import amble.envs
from amble.envs import final_observations, making
from amble.envs.backends.seeds import environment_seeds
from amble.errors import AmbleError, UsageError

HERE = Path(__file__).parent


def followed(env_id: str, backend: str, num_envs: int = 3, steps: int = 70, seed: int = 11, **kwargs):
    """Everything a backend returns for random actions, one row a step."""
    env = amble.envs.make(env_id, num_envs, backend=backend, **kwargs)
    env.action_space.seed(5)
    rows = [env.reset(seed=seed)[0]]
    ends = 0
    for _ in range(steps):
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        done = terminated | truncated
        ends += done.sum()
        rows += [
            obs,
            reward,
            terminated,
            truncated,
            final_observations(info, done, env.single_observation_space),
        ]
    env.close()
    assert ends > 0
    return rows


@pytest.mark.parametrize("env_id", ["toys:Countdown-v0", "Pendulum-v1", "MountainCar-v0", "CartPole-v1"])
def test_workers_and_inprocess_run_the_same_episodes(env_id):
    kwargs = {"max_episode_steps": 25} if "toys" not in env_id else {}
    runs = [followed(env_id, backend, **kwargs) for backend in ("inprocess", "workers")]
    for left, right in zip(*runs, strict=True):
        np.testing.assert_array_equal(left, right)


def test_workers_take_the_parts_of_a_tuple():
    """A number and a choice: (s/2, 2 or 1 by the sign s) pays 2."""
    env = amble.envs.make("probes:Hybrid-v0", 5, backend="workers")
    seen, _ = env.reset(seed=3)
    for _ in range(3):
        sign = seen[:, 0]
        seen, reward, terminated, *_ = env.step((0.5 * sign[:, None], np.where(sign > 0, 2, 1)))
        assert reward.tolist() == [2.0] * 5
        assert terminated.all()
    with pytest.raises(AmbleError, match=r"actions of shape \(5,\) \(environments first\), got \(4,\)"):
        env.step((np.zeros((5, 1), np.float32), np.zeros(4, np.int64)))
    env.close()


@pytest.mark.parametrize("backend", ["inprocess", "workers"])
def test_against_environments_stepped_by_hand(backend):
    env = amble.envs.make("Pendulum-v1", 2, backend=backend, max_episode_steps=7)
    singles = [gymnasium.make("Pendulum-v1", max_episode_steps=7) for _ in range(2)]
    observation, _ = env.reset(seed=4)
    alone = [single.reset(seed=s)[0] for single, s in zip(singles, environment_seeds(4, 2), strict=True)]
    np.testing.assert_array_equal(observation, alone)
    rng = np.random.default_rng(0)
    for number in range(1, 20):
        actions = rng.uniform(-2, 2, (2, 1)).astype(np.float32)
        observation, reward, terminated, truncated, info = env.step(actions)
        for i, single in enumerate(singles):
            obs, r, over, cut, _ = single.step(actions[i])
            assert cut == truncated[i] == (number % 7 == 0)
            assert over == terminated[i] == False  # noqa: E712
            assert r == reward[i]
            if cut:
                np.testing.assert_array_equal(info["final_obs"][i], obs)
                obs, _ = single.reset()
            np.testing.assert_array_equal(observation[i], obs)
    env.close()


def test_array_cartpole_against_single_ones():
    """From each state the array environment is in, a single CartPole takes the same step."""
    limit = 40
    env = amble.envs.make("CartPole-v1", 16, backend="array", max_episode_steps=limit)
    single = gymnasium.make("CartPole-v1").unwrapped
    observation, _ = env.reset(seed=1)
    rng = np.random.default_rng(2)
    age = np.zeros(16, int)
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(150):
        # half of them push towards the side the pole leans to, so that their episodes last
        actions = np.where(
            np.arange(16) < 8, rng.integers(0, 2, 16), observation[:, 2] + observation[:, 3] > 0
        )
        before = env.unwrapped.state.copy()
        observation, reward, terminated, truncated, info = env.step(actions.astype(np.int64))
        age += 1
        for i in range(16):
            single.reset()
            single.state, single.steps_beyond_terminated = before[:, i], None
            obs, r, over, _, _ = single.step(int(actions[i]))
            assert (reward[i], terminated[i], truncated[i]) == (r, over, age[i] >= limit)
            if over or age[i] >= limit:
                np.testing.assert_allclose(info["final_obs"][i], obs, rtol=1e-6)
                assert info["_final_obs"][i]
                assert np.abs(observation[i]).max() <= 0.05  # the next episode's first
                ends["terminated" if over else "truncated"] += 1
                age[i] = 0
            else:
                np.testing.assert_allclose(observation[i], obs, rtol=1e-6)
    assert min(ends.values()) > 3


def test_registered_time_limits_reach_the_array_form():
    for env_id, limit in (("CartPole-v0", 200), ("CartPole-v1", 500)):
        assert amble.envs.make(env_id, 2).unwrapped.max_episode_steps == limit


def test_seeds_do_not_overlap_between_neighbouring_runs():
    assert not set(environment_seeds(0, 64)) & set(environment_seeds(1, 64))
    assert environment_seeds(None, 2) == [None, None]


def test_auto_takes_the_array_form():
    for env_id in ("CartPole-v1", "amble/3DBall-v0", "HalfCheetah-v5"):
        assert amble.envs.make(env_id, 4).metadata["amble_backend"] == "array"


def test_auto_keeps_one_environment_in_process():
    env = amble.envs.make("toys:Countdown-v0", 1)
    assert env.metadata["amble_backend"] == "inprocess"
    assert env.metadata["amble_speeds"] == {}


@pytest.mark.parametrize("quicker", ["inprocess", "workers"])
def test_auto_takes_the_quicker_and_says_so(monkeypatch, caplog, quicker):
    monkeypatch.setattr(making, "usable_cores", lambda: 2)

    def speed(env, seconds):
        env.close()
        return 900.0 if quicker in type(env).__name__.lower().replace("vectorenv", "") else 500.0

    monkeypatch.setattr(making, "_steps_per_second", speed)
    with caplog.at_level(logging.INFO, logger="amble.envs.making"):
        env = amble.envs.make("toys:Countdown-v0", 4)
    other = {"inprocess": "workers", "workers": "inprocess"}[quicker]
    assert env.metadata["amble_backend"] == quicker
    assert env.metadata["amble_speeds"] == {quicker: 900.0, other: 500.0}
    assert f"backend {quicker}" in caplog.text
    assert "900.0" in caplog.text
    env.close()


def test_auto_measures_in_about_a_second():
    start = time.perf_counter()
    env = amble.envs.make("Pendulum-v1", 8)
    assert time.perf_counter() - start < 5.0
    assert env.metadata["amble_backend"] in ("inprocess", "workers")
    env.close()


def test_auto_takes_parts_in_process(monkeypatch):
    monkeypatch.setattr(making, "usable_cores", lambda: 2)
    monkeypatch.setattr(making, "_CHEAP_SECONDS", 0.0)
    monkeypatch.setattr(making, "_TRIAL_SECONDS", 0.01)
    env = amble.envs.make("toys:Parts-v0", 2)
    assert env.metadata["amble_backend"] == "inprocess"
    assert isinstance(env.reset(seed=0)[0], dict)


def test_settings_reach_the_environment():
    env = amble.envs.make("toys:Countdown-v0", 2, backend="inprocess", length=3)
    assert env.get_attr("length") == (3, 3)
    ball = amble.envs.make("amble/3DBall-v0", 2, threads=1, mass=3.0)
    assert ball.model.body("ball").mass[0] == 3.0
    assert ball.batch.nthread == 1


def test_threads_go_only_where_they_are_taken():
    amble.envs.make("CartPole-v1", 2, threads=2)
    amble.envs.make("toys:Countdown-v0", 1, threads=2)


@pytest.mark.parametrize(("env_id", "length"), [("amble/3DBall-v0", 8), ("Reacher-v5", 10)])
def test_bodies_run_on_every_backend(env_id, length):
    for backend in ("array", "inprocess", "workers"):
        env = amble.envs.make(env_id, 2, backend=backend)
        assert env.metadata["amble_backend"] == backend
        assert env.reset(seed=0)[0].shape == (2, length)
        env.close()


def test_any_id_of_gymnasiums_mujoco_classes_has_our_form():
    gymnasium.register(
        "Hurdler-v0",
        entry_point="gymnasium.envs.mujoco.hopper_v5:HopperEnv",
        max_episode_steps=7,
        kwargs={"healthy_reward": 2.5, "frame_skip": 2},
    )
    try:
        env = amble.envs.make("Hurdler-v0", 2, threads=1, frame_skip=3)
        assert type(env.unwrapped).__name__ == "HopperVectorEnv"
        assert (env.time_limit, env.frame_skip, env.batch.nthread) == (7, 3, 1)
        env.reset(seed=0)
        assert env.step(np.zeros((2, 3), np.float32))[4]["reward_survive"].tolist() == [2.5, 2.5]
        assert amble.envs.make("Hurdler-v0", 2, max_episode_steps=3).time_limit == 3
        assert amble.envs.make("Hurdler-v0", 2, max_episode_steps=-1).time_limit == 0
    finally:
        del gymnasium.registry["Hurdler-v0"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_geom": 10}, r"Reacher-v5: its array form does not take max_geom. Use backend 'auto'"),
        ({"render_mode": "depth_array"}, r"Reacher-v5: its array form draws in .*, not 'depth_array'"),
    ],
)
def test_what_our_form_does_not_take_goes_to_gymnasium(settings, message):
    env = amble.envs.make("Reacher-v5", 1, **settings)
    assert env.metadata["amble_backend"] == "inprocess"
    env.close()
    with pytest.raises(UsageError, match=message):
        amble.envs.make("Reacher-v5", 1, backend="array", **settings)


def test_settings_that_nobody_takes():
    with pytest.raises(UsageError, match=r"Reacher-v5 does not take the settings \{'rewardd': 1\}"):
        amble.envs.make("Reacher-v5", 1, rewardd=1)


def test_wrappers_of_a_registration_are_kept():
    wrapper = gymnasium.wrappers.TimeAwareObservation.wrapper_spec()
    gymnasium.register(
        "Clocked-v0",
        entry_point="gymnasium.envs.mujoco.reacher_v5:ReacherEnv",
        max_episode_steps=5,
        additional_wrappers=(wrapper,),
    )
    try:
        env = amble.envs.make("Clocked-v0", 1)
        assert env.metadata["amble_backend"] == "inprocess"
        assert env.single_observation_space.shape == (11,)
        env.close()
        with pytest.raises(UsageError, match="registered with wrappers of its own"):
            amble.envs.make("Clocked-v0", 1, backend="array")
    finally:
        del gymnasium.registry["Clocked-v0"]


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("halfcheetah-v5", r"no environment 'halfcheetah-v5'. Nearest: HalfCheetah-v5"),
        ("cartpole", r"Nearest: CartPole-v"),
        ("amble/Wlker-v0", r"Nearest: amble/Walker-v0"),
        ("xyzzyqwert-v7", r"no environment 'xyzzyqwert-v7'. One of your own"),
        ("no_such_module:Foo-v0", r"cannot import 'no_such_module'.*Run in the directory"),
        ("toys:NotThere-v0", r"no environment 'NotThere-v0'"),
        ("HalfCheetah-v99", r"Nearest: HalfCheetah-v5"),
    ],
)
def test_unknown_ids(env_id, message):
    with pytest.raises(UsageError, match=message):
        amble.envs.make(env_id, 2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"backend": "fast"}, r"backend 'fast' is unknown; it is one of auto, array"),
        ({"backend": "array"}, r"Countdown-v0 has no array form"),
        ({"backend": "envpool"}, r"EnvPool is not installed or has no Countdown-v0"),
        ({"lenght": 3}, r"Countdown-v0 does not take the settings \{'lenght': 3\}"),
        ({"threads": -1}, r"threads must be 0"),
    ],
)
def test_bad_requests(kwargs, message):
    with pytest.raises(UsageError, match=message):
        amble.envs.make("toys:Countdown-v0", 2, **kwargs)


def test_no_environments_are_refused():
    with pytest.raises(UsageError, match="num_envs must be at least 1, got 0"):
        amble.envs.make("CartPole-v1", 0)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(UsageError, match=r"phys2d/CartPole-v1 needs a package that is not installed: .*jax"):
        amble.envs.make("phys2d/CartPole-v1", 2)


GARBAGE = """
import gc
import amble.envs
gc.disable()
kept = [amble.envs.make("HalfCheetah-v5", 4, backend="array", threads=2)]
kept[0].reset(seed=0)
kept[0].step(kept[0].action_space.sample())
kept.append(kept)  # only the collector can free it
del kept
amble.envs.make("toys:Tidy-v0", 2, backend="workers").close()
"""


def test_a_worker_leaves_the_threads_of_forgotten_batches_alone():
    """A fork has them in its memory without their threads, and would wait for those were it to free them."""
    there = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-c", GARBAGE], timeout=60, check=True, env=there)


def test_workers_refuse_spaces_of_parts():
    with pytest.raises(UsageError, match=r"Parts-v0: worker processes carry plain arrays only.*inprocess"):
        amble.envs.make("toys:Parts-v0", 2, backend="workers")


def trouble(kind: str):
    env = amble.envs.make("toys:Trouble-v0", 5, backend="workers", trouble=kind)
    env.reset(seed=0)
    calm = np.zeros((5, 2), np.float32)
    env.step(calm)
    env.step(calm)
    calm[3, 1] = 1.0
    return env, calm


def test_a_failing_environment_is_named():
    env, actions = trouble("raise")
    with pytest.raises(
        AmbleError, match=r"(?s)Environment 3 of 5 failed at step 3 .*ZeroDivisionError: the toy broke"
    ):
        env.step(actions)
    assert not any(process.is_alive() for process, _ in env._workers)
    with pytest.raises(AmbleError, match="closed"):
        env.step(actions)


def test_a_dead_worker_is_named(monkeypatch):
    monkeypatch.setattr(making, "usable_cores", lambda: 2)
    env, actions = trouble("die")
    with pytest.raises(AmbleError, match=r"worker of environments 3–4 died at step 3 .*exit code 7"):
        env.step(actions)
    assert not any(process.is_alive() for process, _ in env._workers)


def test_close_leaves_no_processes():
    env = amble.envs.make("toys:Countdown-v0", 4, backend="workers")
    workers = [process for process, _ in env._workers]
    assert all(process.is_alive() for process in workers)
    env.close()
    env.close()
    assert not any(process.is_alive() for process in workers)
    assert [process.exitcode for process in workers] == [0] * len(workers)


def test_ctrl_c_is_the_parents_to_handle():
    env = amble.envs.make("toys:Countdown-v0", 2, backend="workers")
    env.reset(seed=0)
    for process, _ in env._workers:
        os.kill(process.pid, signal.SIGINT)
    env.step(np.zeros((2, 2), np.float32))
    env.close()


def test_a_terminated_worker_dies_although_the_parent_handles_the_signal():
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        env = amble.envs.make("toys:Countdown-v0", 2, backend="workers")
    finally:
        signal.signal(signal.SIGTERM, previous)
    process, _ = env._workers[0]
    process.terminate()
    process.join(5)
    assert process.exitcode == -signal.SIGTERM
    env.close()


def test_workers_end_when_the_object_is_forgotten():
    env = amble.envs.make("toys:Countdown-v0", 2, backend="workers")
    workers = [process for process, _ in env._workers]
    del env
    assert not any(process.is_alive() for process in workers)


def test_workers_end_when_the_parent_is_killed():
    code = (
        "import amble.envs, time\n"
        "env = amble.envs.make('toys:Countdown-v0', 4, backend='workers')\n"
        "print(*[p.pid for p, _ in env._workers], flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=HERE)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 15
    while any(map(running, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pids
    assert not any(map(running, pids))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
