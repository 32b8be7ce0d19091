"""Parameters that change from episode to episode: what is drawn, who takes it when, and that the physics is right."""

from typing import Any

import numpy as np
import pytest

import amble.envs
from amble.envs.bodies.ball.env import BallVectorEnv
from amble.envs.bodies.ball.model import ball_model
from amble.envs.bodies.walker.env import WalkerVectorEnv
from amble.envs.bodies.walker.model import build
from amble.envs.bodies.walker.settings import WalkerSettings
from amble.envs.parameters import (
    Drawn,
    EpisodeParameters,
    Limits,
    in_words,
    set_parameters,
    value_from_json,
)
from amble.errors import UsageError


def parameters(count: int = 4) -> EpisodeParameters:
    return EpisodeParameters(
        "Toy", {"mass": Limits(above=0.0), "wind": Limits(), "scale": Limits(0, 3)}, count
    )


def test_a_number_is_due_once_for_each_environment() -> None:
    known = parameters()
    assert known.due(np.arange(4))[0].size == 0
    known.set({"mass": 2.0})
    due, values = known.due(np.array([1, 3]))
    assert (due.tolist(), values["mass"].tolist()) == ([1, 3], [2.0, 2.0])
    assert known.due(np.array([0, 1]))[0].tolist() == [0]
    known.set({"wind": -1})
    due, values = known.due(np.array([3]))
    assert (due.tolist(), values["mass"].tolist(), values["wind"].tolist()) == ([3], [2.0], [-1.0])


def test_a_sampler_is_drawn_at_every_episode_and_repeats_by_its_seed() -> None:
    first, again = parameters(), parameters()
    for one in (first, again):
        one.set({"mass": Drawn("uniform", (2.0, 3.0), seed=7)})
    drawn = [first.due(np.arange(4))[1]["mass"] for _ in range(50)]
    np.testing.assert_array_equal(drawn, [again.due(np.arange(4))[1]["mass"] for _ in range(50)])
    together = np.concatenate(drawn)
    assert len(set(together.tolist())) == 200
    assert 2.0 <= together.min() < 2.1
    assert 2.9 < together.max() <= 3.0
    first.set({"mass": 5.0})  # a number ends the drawing
    assert first.due(np.arange(4))[1]["mass"].tolist() == [5.0] * 4
    assert first.due(np.arange(4))[0].size == 0


def test_what_samplers_draw() -> None:
    known = parameters()
    known.set({"wind": Drawn("gaussian", (10.0, 2.0), 1)})
    drawn = _many(known, "wind", 1000)
    assert drawn.mean() == pytest.approx(10.0, abs=0.15)
    assert drawn.std() == pytest.approx(2.0, abs=0.1)
    # Intervals by their lengths: 1 of 4 in the first, none between
    known.set({"wind": Drawn("multirangeuniform", (0.0, 1.0, 5.0, 8.0), 1)})
    drawn = _many(known, "wind", 1000)
    assert ((drawn <= 1.0) | (drawn >= 5.0)).all()
    assert (drawn <= 1.0).mean() == pytest.approx(0.25, abs=0.03)
    known.set({"wind": Drawn("multirangeuniform", (1.0, 1.0, 4.0, 4.0), 1)})
    assert set(_many(known, "wind", 20).tolist()) == {1.0, 4.0}


def test_a_gaussians_draws_that_no_body_could_have_are_drawn_again() -> None:
    known = parameters()
    known.set({"scale": Drawn("gaussian", (0.5, 2.0), 3)})
    drawn = _many(known, "scale", 500)
    assert drawn.min() > 0.0
    assert drawn.max() <= 3.0
    assert drawn.std() > 0.5


def _many(known: EpisodeParameters, name: str, times: int) -> np.ndarray:
    return np.concatenate([known.due(np.arange(4))[1][name] for _ in range(times)])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"weight": 1.0}, r"Toy: the parameter 'weight' cannot change .*; mass, wind, scale can"),
        ({"mass": 0.0}, "Toy: mass must be above 0; got 0"),
        ({"scale": 4.0}, "scale must be above 0 and at most 3; got 4"),
        ({"wind": np.inf}, "wind must be finite; got inf"),
        ({"mass": Drawn("uniform", (-1.0, 1.0), 0)}, r"mass must be above 0; got drawn .* in \[-1, 1\]"),
        ({"mass": Drawn("gaussian", (-1.0, 1.0), 0)}, "mass must be above 0; got drawn .* -1 ± 1"),
    ],
)
def test_what_may_not_be(given: dict[str, Any], words: str) -> None:
    known = parameters()
    with pytest.raises(UsageError, match=words):
        known.set({"wind": 3.0, **given})
    assert known.due(np.arange(4))[0].size == 0  # nothing of it was taken


def test_values_come_back_from_json() -> None:
    for value in (3.0, Drawn("multirangeuniform", (0.0, 1.0, 2.0, 3.0), 9)):
        assert value_from_json(value.as_json() if isinstance(value, Drawn) else value) == value
    assert in_words(2.5) == "2.5"


def test_an_environment_that_takes_its_settings_when_it_is_made() -> None:
    env = amble.envs.make("CartPole-v1", 2)
    set_parameters(env, "CartPole-v1", {})
    with pytest.raises(
        UsageError, match=r"environment_parameters\.gravity: CartPole-v1 takes its settings when"
    ):
        set_parameters(env, "CartPole-v1", {"gravity": 1.0})


FIELDS = (
    "body_mass", "body_inertia", "body_subtreemass", "body_invweight0", "geom_size", "geom_rbound", "geom_aabb",
    "bvh_aabb", "dof_damping", "dof_invweight0", "dof_M0",
)  # fmt: skip


def test_a_ball_whose_parameters_change_is_the_ball_that_is_made_so() -> None:
    """Every field of its model, and the same course through the air and on the platform, to the last bit."""
    env = BallVectorEnv(3, threads=1)
    env.set_parameters({"mass": 2.5, "scale": 1.7, "gravity": 5.0})
    made = BallVectorEnv(3, threads=1, mass=2.5, scale=1.7, gravity=5.0)
    fresh = ball_model(2.5, 1.7, 5.0)
    np.testing.assert_array_equal(env.reset(seed=1)[0], made.reset(seed=1)[0])
    adjusted = env.batch.get_model(1)
    for field in FIELDS:
        np.testing.assert_allclose(getattr(adjusted, field), getattr(fresh, field), rtol=1e-12, err_msg=field)
    np.testing.assert_array_equal(adjusted.opt.gravity, fresh.opt.gravity)
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
        mine, theirs = env.step(actions), made.step(actions)
        np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-5, atol=1e-5)


def test_running_episodes_keep_what_they_began_with() -> None:
    env = BallVectorEnv(2, threads=1)
    env.reset(seed=0)
    env.set_parameters({"gravity": 1.0})
    down = [env.batch.get_model(i).opt.gravity[2] for i in range(2)]
    assert down == [-9.81, -9.81]
    tilt = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
    while not (done := np.logical_or(*env.step(tilt)[2:4])).any():
        pass
    down = np.array([env.batch.get_model(i).opt.gravity[2] for i in range(2)])
    np.testing.assert_array_equal(down[done], -1.0)
    np.testing.assert_array_equal(down[~done], -9.81)


@pytest.mark.parametrize("body", ["release_19", "release_21"])
def test_a_walker_whose_masses_change_is_the_walker_that_is_made_so(body: str) -> None:
    """Its model, and its course."""
    given = {"gravity": 9.0, "chest_mass": 5.0, "spine_mass": 11.0, "hip_mass": 20.0}
    env = WalkerVectorEnv(2, threads=1, body=body)
    env.set_parameters(given)
    made = WalkerVectorEnv(2, threads=1, body=body, **given)
    np.testing.assert_allclose(env.reset(seed=2)[0], made.reset(seed=2)[0], rtol=1e-5, atol=1e-5)
    fresh, adjusted = build(WalkerSettings.from_kwargs({"body": body, **given})), env.batch.get_model(1)
    for field in ("body_mass", "body_inertia", "body_subtreemass", "dof_M0"):
        np.testing.assert_allclose(getattr(adjusted, field), getattr(fresh, field), rtol=1e-9, err_msg=field)
    np.testing.assert_array_equal(adjusted.opt.gravity, fresh.opt.gravity)
    plain = WalkerVectorEnv(2, threads=1, body=body)
    plain.reset(seed=2)
    for _ in range(2):  # later, rounding grows
        actions = np.full((2, 39), 0.3, np.float32)
        mine, theirs, others = (one.step(actions)[0] for one in (env, made, plain))
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)
    assert np.abs(mine - others).max() > 0.02
    assert env.physics_warnings == {}


def test_a_walkers_own_random_factors_are_on_top() -> None:
    env = WalkerVectorEnv(2, threads=1, randomize={"mass": (2.0, 2.0), "gravity": (0.5, 0.5)})
    env.set_parameters({"gravity": 8.0, "chest_mass": 3.0})
    env.reset(seed=0)
    model = env.batch.get_model(0)
    assert model.body("chest").mass[0] == pytest.approx(6.0)
    assert model.opt.gravity[2] == -4.0


def test_each_body_draws_its_own() -> None:
    env = WalkerVectorEnv(3, threads=1)
    env.set_parameters({"chest_mass": Drawn("uniform", (2.0, 4.0), 5)})
    masses = []
    for _ in range(2):
        env.reset()
        masses += [float(env.batch.get_model(i).body("chest").mass[0]) for i in range(3)]
    assert len(set(masses)) == 6
    assert all(2.0 <= mass <= 4.0 for mass in masses)
