"""Look values up in a table, pixel by pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import LabelMap
from noisylabels.kernels.choice import compiled, plain


def look_up(table: LabelMap, places: NDArray[Any]) -> LabelMap:
    """``table[places]``, fast.

    Args:
        table: (n,) uint8.
        places: integers from 0 to n - 1, any shape.
    """
    fast = compiled("tables")
    if fast is None:
        return np.asarray(table[places])
    out = np.empty(places.shape, dtype=np.uint8)
    fast.look_up(plain(table), plain(places).reshape(-1), out.reshape(-1))
    return out
