"""Bodies simulated by MuJoCo, B at a time: one folder a body, and what they share in `base` and `single`."""

import os

from amble.errors import AmbleError

try:
    import mujoco  # noqa: F401
except (AttributeError, ImportError, RuntimeError) as failure:
    chosen = os.environ.get("MUJOCO_GL")
    if chosen is None:
        raise
    raise AmbleError(
        f"MuJoCo does not start with MUJOCO_GL={chosen} ({failure}). Install what it names (Debian, Ubuntu: "
        "`apt install libosmesa6` for osmesa, `apt install libegl1 libegl-mesa0` for egl), or unset MUJOCO_GL."
    ) from failure
