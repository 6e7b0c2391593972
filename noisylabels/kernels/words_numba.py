"""Eight pixels, or sixty-four bits, at a time: what the compiled loops share.

A label map is read as words of eight pixels. The first pixel is the lowest byte: numba runs on little-endian
machines alone.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel

FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BYTES = np.uint64(0x0101010101010101)
_LOW = np.uint64(0x7F7F7F7F7F7F7F7F)
_GATHER = np.uint64(0x0102040810204080)  # brings the lowest bits of eight bytes together in the highest byte
_MAGIC = 0x03F79D71B4CB0A89  # a de Bruijn sequence: its 64 six-bit windows are all different
_SPREAD = np.uint64(_MAGIC)
_PLACES = np.zeros(64, dtype=np.uint8)
for _bit in range(64):
    _PLACES[(_MAGIC << _bit) % 2**64 >> 58] = _bit


@kernel
def lowest(word: Any) -> Any:
    """Number of the lowest bit that is set; the word is not 0."""
    alone = word & (~word + np.uint64(1))
    return np.int64(_PLACES[(alone * _SPREAD) >> np.uint64(58)])


@kernel
def root(n: int) -> Any:
    """The largest integer whose square is at most n, for 0 <= n < 2**62."""
    found = np.int64(np.sqrt(np.float64(n)))
    while found * found > n:  # sqrt of the rounded float may be one too high or too low
        found -= 1
    while (found + 1) * (found + 1) <= n:
        found += 1
    return found


@kernel
def as_words(flat: Any) -> Any:
    """Flat pixels as words; what is left of the last eight is not among them."""
    return flat[: len(flat) // 8 * 8].view(np.uint64)


@kernel
def run_end(flat: Any, words: Any, at: int, end: int) -> Any:
    """Where the run that begins at ``at`` ends: the first pixel of another value, or ``end``."""
    value = flat[at]
    pattern = _BYTES * np.uint64(value)
    k, last = at >> 3, (end + 7) >> 3
    if k < len(words):
        differs = (words[k] ^ pattern) >> np.uint64(8 * (at & 7))
        if differs != 0:
            return min(at + (lowest(differs) >> 3), end)
        k += 1
        last = min(last, len(words))
        while k + 4 <= last:
            if (
                (words[k] ^ pattern) | (words[k + 1] ^ pattern)
                | (words[k + 2] ^ pattern) | (words[k + 3] ^ pattern)
            ) != 0:  # fmt: skip
                break
            k += 4
        while k < last:
            differs = words[k] ^ pattern
            if differs != 0:
                return min(8 * k + (lowest(differs) >> 3), end)
            k += 1
        at = max(at, 8 * k)
    while at < end and flat[at] == value:
        at += 1
    return min(at, end)


@kernel
def _marked(word: Any, before: Any) -> Any:
    """A bit for each of eight pixels: whether it differs from the one before, the first from ``before``."""
    differs = word ^ (word << np.uint64(8) | before)
    high = ((differs & _LOW) + _LOW | differs) & ~_LOW
    return np.uint8((high >> np.uint64(7)) * _GATHER >> np.uint64(56))


@kernel
def changes(flat: Any, words: Any, first: int, last: int, marks: Any, places: Any) -> Any:
    """Where a pixel differs from the one before it.

    Args:
        flat: pixels.
        words: the same, from :func:`as_words`.
        first: the first pixel that is looked at, a multiple of 8.
        last: the one behind the last, a multiple of 8 or the end.
        marks: room for a byte a word, its length a multiple of 8.
        places: room for as many places as pixels are looked at.

    Returns:
        How many places were written.
    """
    a = first >> 3
    n = (last >> 3) - a
    marks[: (n + 7) // 8 * 8] = 0
    skip = 1 if a == 0 else 0  # there is no word before the first
    here, before, to = words[a + skip : a + n], words[a + skip - 1 : a + n - 1], marks[skip:n]
    for i in range(len(here)):
        to[i] = _marked(here[i], before[i] >> np.uint64(56))
    if skip and n > 0:
        marks[0] = _marked(words[0], words[0] & np.uint64(0xFF))
    packed = marks.view(np.uint64)
    count = 0
    for k in range((n + 7) >> 3):
        left = packed[k]
        while left != 0:
            places[count] = first + 64 * k + lowest(left)
            count += 1
            left &= left - np.uint64(1)
    for at in range(first + 8 * n, last):
        if at > 0 and flat[at] != flat[at - 1]:
            places[count] = at
            count += 1
    return count
