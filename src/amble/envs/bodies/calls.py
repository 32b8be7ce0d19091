"""MuJoCo's own functions, for kernels to call, and its arrays, for kernels to read.

A kernel handles a simulation by the addresses of its `mjModel` and `mjData`. Whoever calls it keeps both alive.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from llvmlite import binding
from numba import carray, types  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
from numba.core import cgutils
from numba.extending import intrinsic

from amble.native.compiled import kernel

_FOLDER = Path(mujoco.__file__).parent


def _load() -> None:
    """Make the library's functions known to the compiler by name; that is how they are kept on disk."""
    names = ("libmujoco.so.*", "libmujoco*.dylib", "mujoco.dll")
    binding.load_library_permanently(str(next(path for name in names for path in _FOLDER.glob(name))))


_load()
_ADDRESS = types.intp

step = types.ExternalFunction("mj_step", types.void(_ADDRESS, _ADDRESS))
"""step(model, data)"""
forward = types.ExternalFunction("mj_forward", types.void(_ADDRESS, _ADDRESS))
"""forward(model, data)"""
reset_data = types.ExternalFunction("mj_resetData", types.void(_ADDRESS, _ADDRESS))
"""reset_data(model, data)"""
kinematics = types.ExternalFunction("mj_kinematics", types.void(_ADDRESS, _ADDRESS))
"""kinematics(model, data): where the bodies and their colliders are."""
centres = types.ExternalFunction("mj_comPos", types.void(_ADDRESS, _ADDRESS))
"""centres(model, data): centres of mass, and what velocities are mapped by; after `kinematics`."""
velocities = types.ExternalFunction("mj_comVel", types.void(_ADDRESS, _ADDRESS))
"""velocities(model, data): of the bodies; after `centres`."""
post_constraint = types.ExternalFunction("mj_rnePostConstraint", types.void(_ADDRESS, _ADDRESS))
"""post_constraint(model, data): accelerations and forces of the bodies, `cfrc_ext` among them."""


def _address_as_pointer(_typing_context: Any, _address: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(_ADDRESS), generate


_pointer: Any = intrinsic(_address_as_pointer)


@kernel
def numbers_at(address, count):
    """The `count` mjtNum at an address, as an array."""
    return carray(_pointer(address), (count,), np.float64)


@kernel
def whole_numbers_at(address, count):
    """The `count` C ints at an address, as an array."""
    return carray(_pointer(address), (count,), np.int32)
