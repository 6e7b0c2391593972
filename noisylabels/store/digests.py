"""Identity of arrays and of datasets: SHA-256 over what is decoded, never over file bytes.

An encoder may be replaced (zlib by zlib-ng) and the file bytes change; the array does not, and neither does
this digest.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def content_digest(array: NDArray[Any], spacing: tuple[float, ...] | None = None) -> str:
    """Digest of an array: SHA-256 over one line of text, then the little-endian bytes in C order.

    The line is ``array 1 <dtype> <shape> <spacing>`` and a line feed: dtype as numpy names it (``uint8``),
    shape joined by ``x``, spacing as the shortest decimal text that gives the same float64, joined by ``x``,
    or ``-`` for None.

    Args:
        array: any shape, bool, integer or floating dtype.
        spacing: mm along every axis, or None.

    Returns:
        64 hexadecimal digits.

    >>> content_digest(np.zeros((2, 3), np.uint8))[:16]
    'da94a9a3a010c2cd'
    """
    shape = "x".join(str(n) for n in array.shape)
    mm = "x".join(repr(float(s)) for s in spacing) if spacing is not None else "-"
    digest = hashlib.sha256(f"array 1 {array.dtype.name} {shape} {mm}\n".encode())
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest.update(little.data if little.size else b"")
    return digest.hexdigest()


def combined_digest(items: Iterable[tuple[str, str]]) -> str:
    """Digest of named digests: SHA-256 over the lines ``<name> <digest>``, sorted by name.

    Args:
        items: name and digest; the order does not matter. None at all gives the digest of the empty text.

    Returns:
        64 hexadecimal digits.
    """
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(items))
    return hashlib.sha256(lines.encode()).hexdigest()
