"""Pictures, and what a machine without a graphics library is told."""

import ctypes.util
import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from amble.envs.bodies import rendering
from amble.envs.bodies.ball import BallEnv, BallVectorEnv
from amble.envs.bodies.rendering import BodyRenderer, RenderingUnavailable, choose_gl


@pytest.fixture
def headless(monkeypatch):
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rendering.sys, "platform", "linux")

    def libraries(*found):
        monkeypatch.setattr(ctypes.util, "find_library", lambda name: name if name in found else None)

    return libraries


@pytest.mark.parametrize(("found", "chosen"), [(["EGL", "OSMesa"], "egl"), (["OSMesa"], "osmesa")])
def test_egl_before_osmesa(headless, found, chosen):
    headless(*found)
    assert choose_gl() == chosen


@pytest.mark.parametrize("name", ["MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"])
def test_a_choice_or_a_display_is_left_alone(headless, monkeypatch, name):
    headless()
    monkeypatch.setenv(name, "glfw")
    assert choose_gl() is None


def test_no_library_says_what_to_install(headless):
    headless()
    with pytest.raises(
        RenderingUnavailable, match=r"apt install libegl1 libegl-mesa0`.*libosmesa6"
    ) as failure:
        BallVectorEnv(1, render_mode="rgb_array").render()
    assert failure.value.exit_code == 1


def test_a_library_that_does_not_start_says_so(headless, monkeypatch):
    headless("EGL")

    def broken(*args, **kwargs):
        raise RuntimeError("Cannot initialize a EGL device display.")

    monkeypatch.setattr(mujoco, "Renderer", broken)
    monkeypatch.setattr(rendering.importlib, "reload", lambda module: module)
    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    with pytest.raises(RenderingUnavailable, match=r"\(egl\) does not start: Cannot initialize a EGL"):
        BodyRenderer(model)


def can_draw() -> bool:
    try:
        BodyRenderer(mujoco.MjModel.from_xml_string("<mujoco/>")).close()
    except RenderingUnavailable:
        return False
    return True


@pytest.mark.skipif(not can_draw(), reason="no graphics library on this machine")
def test_the_picture_shows_the_ball_fall():
    env = BallEnv(render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    assert before.shape == (480, 640, 3)
    assert before.dtype == np.uint8
    np.testing.assert_array_equal(before, env.render())
    env.step(np.zeros(2, np.float32))
    env.step(np.zeros(2, np.float32))
    after = env.render()
    # the ball is yellow: much red and green, little blue; its pixels' mean row moves down the picture
    rows = [np.argwhere((f[..., 0] > 150) & (f[..., 2] < 90))[:, 0].mean() for f in (before, after)]
    assert rows[1] > rows[0] + 5
    env.close()
    env.close()


@pytest.mark.skipif(not can_draw(), reason="no graphics library on this machine")
def test_a_batch_draws_every_environment():
    env = BallVectorEnv(2, render_mode="rgb_array", threads=1)
    env.reset(seed=0)
    frames = env.render()
    assert [frame.shape for frame in frames] == [(480, 640, 3)] * 2
    assert not np.array_equal(*frames)
    env.close()


@pytest.mark.parametrize("chosen", ["nope", "wgl"])
def test_a_library_that_mujoco_cannot_start_with_is_named(chosen: str) -> None:
    environment = {**os.environ, "MUJOCO_GL": chosen}
    program = "import amble.envs; amble.envs.make('amble/3DBall-v0', 1)"
    child = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode != 0
    assert f"AmbleError: MuJoCo does not start with MUJOCO_GL={chosen}" in child.stderr
    assert "apt install libosmesa6" in child.stderr
