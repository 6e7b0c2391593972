"""Label maps in blocks: every block gets the class of most of its pixels, or of one of them."""

import numpy as np

from noisylabels.case import LabelMap
from noisylabels.geometry import Ints, Mask
from noisylabels.kernels.choice import compiled


def majorities(
    labels: LabelMap, voting: Mask, blocks: tuple[Ints, Ints, Ints], even: bool, odd: bool
) -> LabelMap:
    """The class that most voting pixels of its block have, for every voting pixel; others stay.

    Args:
        labels: (Z, Y, X).
        voting: (256,); the classes that vote.
        blocks: along every axis the number of the block of every place, from 0 on and rising.
        even: in blocks whose numbers add up to an even number, of classes with equally many votes the highest
            wins instead of the lowest.
        odd: the same in the other blocks.

    Returns:
        A new map.
    """
    out = labels.copy()
    fast = compiled("coarse")
    if fast is not None:
        fast.majorities(out, voting, *blocks, even, odd)
        return out
    z, y, x = blocks
    edges = [np.flatnonzero(np.diff(axis, prepend=-1)) for axis in blocks]
    numbers = [axis[edge] for axis, edge in zip(blocks, edges, strict=True)]
    black = np.add.outer(np.add.outer(numbers[0], numbers[1]), numbers[2]) % 2 == 1
    highest = np.where(black, odd, even)
    most = np.zeros([len(edge) for edge in edges], dtype=np.int64)
    winner = np.zeros(most.shape, dtype=np.uint8)
    for c in np.flatnonzero(voting & (np.bincount(labels.reshape(-1), minlength=256) > 0)):
        votes = (labels == c).astype(np.int64)
        for axis, edge in enumerate(edges):
            votes = np.add.reduceat(votes, edge, axis=axis)
        wins = (votes > most) | (highest & (votes == most) & (votes > 0))
        most[wins], winner[wins] = votes[wins], c
    decided = winner[np.ix_(*(np.unique(axis, return_inverse=True)[1] for axis in (z, y, x)))]
    out[voting[labels]] = decided[voting[labels]]
    return out


def nearest(labels: LabelMap, voting: Mask, middles: tuple[Ints, Ints, Ints]) -> LabelMap:
    """The class of the middle of its block, for every pixel of a voting class where the middle has one too.

    Args:
        labels: (Z, Y, X).
        voting: (256,); the classes that take part.
        middles: along every axis, for every place the place whose class it takes.

    Returns:
        A new map.
    """
    fast = compiled("coarse")
    if fast is not None:
        out = np.empty_like(labels)
        fast.nearest(out, labels, voting, *middles)
        return out
    seen = labels[np.ix_(*middles)]
    return np.where(voting[labels] & voting[seen], seen, labels)
