"""Pictures of one MuJoCo simulation, drawn off screen."""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

import ctypes.util
import importlib
import os
import sys

import mujoco
import numpy as np
from jaxtyping import UInt8

from amble.errors import AmbleError

WIDTH, HEIGHT = 640, 480


class RenderingUnavailable(AmbleError):
    """No OpenGL library on this machine can draw off screen."""


def choose_gl() -> str | None:
    """Say which off-screen library MuJoCo should draw with; None leaves the choice to MuJoCo.

    A choice of the user's (`MUJOCO_GL`), a display, and every system but Linux are left alone. EGL before
    OSMesa, because EGL draws on the GPU where there is one. The library is looked for before it is imported:
    PyOpenGL can be bound to one platform in the life of a process, so a failed EGL would spoil OSMesa.
    """
    if os.environ.get("MUJOCO_GL") or sys.platform != "linux":
        return None
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    if ctypes.util.find_library("EGL"):
        return "egl"
    if ctypes.util.find_library("OSMesa"):
        return "osmesa"
    raise RenderingUnavailable(
        "Cannot draw the body: there is no display, and neither libEGL nor libOSMesa was found. "
        "Install one of them (Debian, Ubuntu: `apt install libegl1 libegl-mesa0`, or "
        "`apt install libosmesa6`), or run without pictures."
    )


class BodyRenderer:
    """Draws simulations of one model, a frame at a time, as (H, W, 3) arrays of uint8."""

    def __init__(
        self,
        model: mujoco.MjModel,
        camera: str | int | mujoco.MjvCamera = -1,
        width: int = WIDTH,
        height: int = HEIGHT,
    ):
        chosen = choose_gl()
        try:
            if chosen is not None:
                os.environ["MUJOCO_GL"] = chosen
                # MuJoCo reads MUJOCO_GL once, when it is imported, and that is long past.
                importlib.reload(importlib.import_module("mujoco.rendering.classic.gl_context"))
            self._renderer = mujoco.Renderer(model, height=height, width=width)
        except (RuntimeError, ImportError, AttributeError, mujoco.FatalError) as failure:
            library = os.environ.get("MUJOCO_GL") or "MuJoCo's default"
            raise RenderingUnavailable(
                f"Cannot draw the body: the OpenGL library ({library}) does not start: {failure}. "
                "Install one that draws without a display (Debian, Ubuntu: `apt install libegl1 "
                "libegl-mesa0` with MUJOCO_GL=egl, or `apt install libosmesa6` with MUJOCO_GL=osmesa), "
                "or run without pictures."
            ) from failure
        self._camera = camera

    def frame(self, data: mujoco.MjData) -> UInt8[np.ndarray, "H W 3"]:
        """Draw the simulation as `data` has it; its kinematics must be current."""
        self._renderer.update_scene(data, camera=self._camera)
        return self._renderer.render().copy()

    def close(self) -> None:
        """Free the OpenGL context; closing twice does no harm."""
        self._renderer.close()
