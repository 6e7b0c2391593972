"""The one place that chooses between a compiled kernel and its numpy twin."""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@cache
def has_numba() -> bool:
    """Whether numba is there and supports this interpreter and this numpy; it says so by an ImportError."""
    try:
        import_module("numba")
    except ImportError:
        return False
    return True


@cache
def _loops(kernel: str) -> ModuleType:
    return import_module(f"noisylabels.kernels.{kernel}_numba")


def compiled(kernel: str) -> ModuleType | None:
    """The loops in ``kernels/<kernel>_numba.py``, or None: then the twin beside them serves."""
    return _loops(kernel) if has_numba() else None


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order and writeable, copied if need be: numba compiles anew for every other kind."""
    return np.require(array, requirements=["C", "W"])
