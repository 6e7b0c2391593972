"""The neighbours of a pixel, for compiled loops."""

from noisylabels.kernels.jit import kernel


@kernel
def beside(k: int, at: int, z: int, y: int, x: int, depth: int, height: int, width: int) -> int:
    """Flat index of the k-th face neighbour of a pixel, k from 0 to 5 along x, y and z; -1 beyond the frame."""
    if k == 0:
        return at - 1 if x > 0 else -1
    if k == 1:
        return at + 1 if x + 1 < width else -1
    if k == 2:
        return at - width if y > 0 else -1
    if k == 3:
        return at + width if y + 1 < height else -1
    if k == 4:
        return at - height * width if z > 0 else -1
    return at + height * width if z + 1 < depth else -1
