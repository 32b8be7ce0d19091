"""How many threads a matrix product in a kernel gets: numba hands them to SciPy's BLAS."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

import scipy.linalg.cython_blas  # noqa: F401  (loads the library, so that the controller below finds it)
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(count: int) -> AbstractContextManager[object]:
    """Within, a matrix product computes with `count` threads."""
    return _controller().limit(limits=count, user_api="blas")
