"""Compiled loops of :mod:`noisylabels.kernels.philox`, and the block that other kernels take words from."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_S0, _S1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@kernel
def block(k0: Any, k1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Any:
    """Four words below 2**32; key and counter are uint64 below 2**32."""
    for _ in range(10):
        one, two = _M0 * c0, _M1 * c2
        c0, c1 = (two >> _HALF) ^ c1 ^ k0, two & _LOW
        c2, c3 = (one >> _HALF) ^ c3 ^ k1, one & _LOW
        k0, k1 = (k0 + _S0) & _LOW, (k1 + _S1) & _LOW
    return c0, c1, c2, c3


@kernel
def fill(k0: Any, k1: Any, places: Any, third: Any, fourth: Any, out: Any) -> None:
    """Fill ``out``, (n, 4)."""
    for i in range(len(places)):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = block(
            k0, k1, places[i] & _LOW, places[i] >> _HALF, third[i], fourth[i]
        )
