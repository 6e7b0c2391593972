"""Keyed random draws: the same address gives the same numbers, on every machine and under every numpy.

Randomness has an *address*, not an order. A stream is keyed by SHA-256 of the seed and a list of names (purpose,
dataset, step, case id, ...), so what one case draws does not depend on how many other cases there are, in which order
they come, or on how many processes work on them.

NumPy keeps the raw output of a bit generator stable for ever, but not the methods of ``Generator`` (NEP 19).
Everything here is therefore made from raw Philox words by integer arithmetic and by the five operations that IEEE 754
rounds exactly (+ - * / sqrt); no libm function decides a number. ``docs/draws.md`` publishes test vectors.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011 (Philox4x64-10).
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.normal import normal_quantile

Shape = int | tuple[int, ...]

_SEPARATOR = "\x1f"


class Draws:
    """Random numbers at one address.

    Every named quantity should have an address of its own (``draws.at("radius")``): then a draw that is added later
    does not move the others. Calls on one object continue its stream.

    Args:
        seed: the user's number, any integer.
        address: names, joined into the key; they may not hold the control character U+001F.

    Attributes:
        annotator: number of the annotator whose stream it is (0, 1, ...); None for a single label map.

    >>> Draws(0, "corrupt", "phantoms", "0", "case_000").uniform(3).round(3).tolist()
    [0.389, 0.147, 0.085]
    """

    def __init__(self, seed: int, *address: str) -> None:
        if any(_SEPARATOR in name for name in address):
            raise ValueError("a name in an address may not hold the control character U+001F")
        self.seed = int(seed)
        self.address = address
        self._bits: np.random.Philox | None = None  # made when it is first drawn from
        self.annotator: int | None = None
        self._common: tuple[str, ...] = address

    def at(self, *names: str | int) -> "Draws":
        """A fresh stream at a longer address."""
        more = tuple(map(str, names))
        return self._of(self.address + more, self._common + more, self.annotator)

    def reader(self, annotator: int) -> "Draws":
        """The stream of one of several annotators: a fresh one at ``(*address, "annotator", number)``.

        Args:
            annotator: its number, from 0 on.

        Raises:
            ValueError: this is already the stream of an annotator.
        """
        if self.annotator is not None:
            raise ValueError("a stream of an annotator has no annotators of its own")
        return self._of((*self.address, "annotator", str(annotator)), self.address, annotator)

    @property
    def common(self) -> "Draws":
        """What all annotators share: a fresh stream at this address without the annotator.

        Where there is a single label map, it is this stream itself.
        """
        return self if self.annotator is None else Draws(self.seed, *self._common)

    def _of(self, address: tuple[str, ...], common: tuple[str, ...], annotator: int | None) -> "Draws":
        made = Draws(self.seed, *address)
        made.annotator, made._common = annotator, common
        return made

    def words(self, shape: Shape) -> NDArray[np.uint64]:
        """Raw 64-bit words, uniform on 0 .. 2**64 - 1, in C order."""
        if self._bits is None:
            key = _SEPARATOR.join([str(self.seed), *self.address]).encode()
            digest = hashlib.sha256(key).digest()
            self._bits = np.random.Philox(key=np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64))
        return (
            np.asarray(self._bits.random_raw(int(np.prod(shape))))
            .astype(np.uint64, copy=False)
            .reshape(shape)
        )

    def uniform(self, shape: Shape = (), low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Numbers in [low, high): the upper 53 bits of one word each, times 2**-53.

        Returns:
            float64 array of ``shape``; 0-dimensional for the default.
        """
        unit = (self.words(shape) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.asarray(low + (high - low) * unit)

    def integers(self, shape: Shape, low: int, high: int) -> NDArray[np.int64]:
        """Integers in low .. high, both included: (upper 32 bits of a word) * (high - low + 1) / 2**32, rounded down.

        A value's probability is off by less than 2**-32; the span may be at most 2**31.
        """
        span = high - low + 1
        if not 0 < span <= 2**31:
            raise ValueError(f"cannot draw an integer from {low} .. {high}")
        scaled = (self.words(shape) >> np.uint64(32)) * np.uint64(span) >> np.uint64(32)
        return np.asarray(scaled.astype(np.int64) + low)

    def normal(self, shape: Shape = (), mean: float = 0.0, sd: float = 1.0) -> NDArray[np.float64]:
        """Normal numbers by inversion, one word each; the unit interval's midpoints keep them finite (|z| < 8.3)."""
        midpoints = ((self.words(shape) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return np.asarray(mean + sd * normal_quantile(midpoints))

    def choice(self, shape: Shape, weights: Sequence[float] | NDArray[Any]) -> NDArray[np.int64]:
        """Indices of ``weights`` with a probability proportional to them, one word each.

        Raises:
            ValueError: a weight is negative or not finite, or all are 0.
        """
        cumulated = np.cumsum(np.asarray(weights, dtype=np.float64))
        if np.min(weights) < 0 or not 0 < cumulated[-1] < np.inf:
            raise ValueError(f"weights must be finite, not negative and not all 0: {weights}")
        found = np.searchsorted(cumulated, self.uniform(shape) * cumulated[-1], side="right")
        last = np.flatnonzero(np.asarray(weights) > 0)[-1]  # rounding may reach the upper end
        return np.asarray(np.minimum(found, last).astype(np.int64))

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The numbers 0 .. n - 1 in random order: the ranks of n words (equal words stay in place)."""
        return np.argsort(self.words(n), kind="stable").astype(np.int64)
