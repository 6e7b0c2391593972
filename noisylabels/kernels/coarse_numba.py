"""Compiled loops of :mod:`noisylabels.kernels.coarse`: one row of blocks after another."""

from typing import Any

import numpy as np

from noisylabels.kernels.jit import kernel


@kernel
def _end(blocks: Any, start: int) -> int:
    """Where the block ends that begins at ``start``."""
    end = start + 1
    while end < len(blocks) and blocks[end] == blocks[start]:
        end += 1
    return end


@kernel
def _winner(block: Any, voting: Any, votes: Any, highest: bool) -> int:
    """The class with most votes in a block, -1 if nobody votes; leaves ``votes`` empty."""
    top = 0
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            for k in range(block.shape[2]):
                votes[block[i, j, k]] += 1
                top = max(top, block[i, j, k])
    winner, most = -1, 0
    for c in range(top + 1):
        if voting[c] and (votes[c] > most or (highest and votes[c] == most and most > 0)):
            winner, most = c, votes[c]
        votes[c] = 0
    return winner


@kernel
def majorities(out: Any, voting: Any, bz: Any, by: Any, bx: Any, even: bool, odd: bool) -> None:
    """Write the winner of every block to its voting pixels, in place."""
    votes = np.zeros(256, dtype=np.int64)
    z = 0
    while z < len(bz):
        z_end, y = _end(bz, z), 0
        while y < len(by):
            y_end, x = _end(by, y), 0
            while x < len(bx):
                x_end = _end(bx, x)
                block = out[z:z_end, y:y_end, x:x_end]
                highest = odd if (bz[z] + by[y] + bx[x]) % 2 == 1 else even
                winner = _winner(block, voting, votes, highest)
                if winner >= 0:
                    for i in range(z_end - z):
                        for j in range(y_end - y):
                            for k in range(x_end - x):
                                if voting[block[i, j, k]]:
                                    block[i, j, k] = winner
                x = x_end
            y = y_end
        z = z_end


@kernel
def nearest(out: Any, labels: Any, voting: Any, mz: Any, my: Any, mx: Any) -> None:
    """Copy the middles of the blocks."""
    for z in range(len(mz)):
        for y in range(len(my)):
            line, own, target = labels[mz[z], my[y]], labels[z, y], out[z, y]
            for x in range(len(mx)):
                seen = line[mx[x]]
                target[x] = seen if voting[seen] and voting[own[x]] else own[x]
