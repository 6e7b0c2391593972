"""How a kernel is compiled: fastmath off, so that every operation rounds as IEEE 754 says; cached on disk."""

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a loop on its first call; in memory alone where no folder for the cache can be written."""
    try:
        return njit(cache=True, fastmath=False)(function)
    except RuntimeError:  # numba found no place for its cache
        return njit(fastmath=False)(function)
