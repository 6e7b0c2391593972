"""Random words with an address for every pixel: the counter of Philox4x32-10 names the pixel.

A stream of words is right where every number of it is used. Where only some pixels of a frame draw, and in
an order that depends on what was drawn before, each takes its words straight from the place of its own: the
key says whose they are, the counter which pixel, step and object. So no word is made that is not used, and
no pixel's words depend on those of others.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011 (Philox4x32-10).
"""

from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.kernels.choice import compiled

Words = NDArray[np.uint64]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def threshold(probability: float) -> int:
    """The number of 32-bit words that mean yes; a word below it does. Off by less than 2**-32.

    Args:
        probability: 0 (no word) to 1 (every word).
    """
    return floor(probability * 4294967296.0)


def halves(key: int) -> tuple[np.uint64, np.uint64]:
    """The lower and the upper 32 bits of a key."""
    return np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)


def words(key: int, places: NDArray[Any], third: Any, fourth: Any) -> Words:
    """Four random words for every place.

    Args:
        key: 64 bits.
        places: the first two words of the counter, as one number from 0 to 2**64 - 1 each, (n,).
        third: the third word of the counter, 0 to 2**32 - 1; one number, or one for each place.
        fourth: the fourth word.

    Returns:
        Numbers from 0 to 2**32 - 1, (n, 4) uint64.
    """
    places = np.ascontiguousarray(places, dtype=np.uint64)
    third, fourth = (
        np.broadcast_to(np.asarray(one, dtype=np.uint64), places.shape) for one in (third, fourth)
    )
    fast = compiled("philox")
    if fast is not None:
        out = np.empty((len(places), 4), dtype=np.uint64)
        fast.fill(*halves(key), places, np.ascontiguousarray(third), np.ascontiguousarray(fourth), out)
        return out
    counter = (places & LOW, places >> HALF, third, fourth)
    first, second = halves(key)
    for _ in range(ROUNDS):
        one, two = (counter[2 * k] * np.uint64(MULTIPLIERS[k]) for k in (0, 1))
        counter = (
            (two >> HALF) ^ counter[1] ^ first,
            two & LOW,
            (one >> HALF) ^ counter[3] ^ second,
            one & LOW,
        )
        first, second = (
            np.uint64((int(k) + s) & 0xFFFFFFFF) for k, s in zip((first, second), STEPS, strict=True)
        )
    return np.stack(counter, axis=1)
