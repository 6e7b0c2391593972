"""Compiled loops of :mod:`noisylabels.kernels.markov`.

``state`` holds a few bits for every pixel, addressed flat like the label map; what they mean is said there.
"""

from typing import Any

import numpy as np

from noisylabels.kernels.faces_numba import beside
from noisylabels.kernels.jit import kernel
from noisylabels.kernels.philox_numba import block

_FLIPPED, _LISTED, _GROWN, _LOST, _OWN, _ONE = (np.uint8(1 << k) for k in range(6))
_KEPT = np.uint8(0b11101)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_S0, _S1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@kernel
def _room(table: Any, n: int, need: int) -> Any:
    """The table, or a longer copy of its first n entries that has room for ``need`` more."""
    if n + need <= len(table):
        return table
    longer = np.empty(2 * len(table) + need, dtype=np.int64)
    for i in range(n):
        longer[i] = table[i]
    return longer


@kernel
def _active(table: Any, n: int, state: Any) -> int:
    """Keep those of the first n pixels that still have a neighbour on the other side."""
    kept = 0
    for i in range(n):
        p = table[i]
        table[kept] = p
        if state[p] >= _ONE:
            kept += 1
        else:
            state[p] &= ~_LISTED
    return kept


@kernel
def _choose(table: Any, n: int, hits: Any, key: Any, step: int, u: int, rate: Any) -> None:
    """Which pixels change in this step: those whose word lies below the rate.

    The rounds of Philox are written out here: a loop that calls a function is not vectorised, and takes
    eight times as long.
    """
    k0, k1, third, fourth = key[0], key[1], np.uint64(step), np.uint64(u)
    for i in range(n):
        at = np.uint64(table[i])
        c0, c1, c2, c3, a, b = at & _LOW, at >> _HALF, third, fourth, k0, k1
        for _ in range(10):
            one, two = _M0 * c0, _M1 * c2
            c0, c1 = (two >> _HALF) ^ c1 ^ a, two & _LOW
            c2, c3 = (one >> _HALF) ^ c3 ^ b, one & _LOW
            a, b = (a + _S0) & _LOW, (b + _S1) & _LOW
        hits[i] = c0 < rate


@kernel
def _split(table: Any, n: int, hits: Any, flips: Any, state: Any, most: int) -> Any:
    """Move the pixels that change out of the table; none where ``most`` own ones would change.

    Returns how many stay, how many change, and how many of these are the object's own.
    """
    kept, count, own = 0, 0, 0
    for i in range(n):
        p = table[i]
        table[kept] = p
        flips[count] = p
        if hits[i] != 0:
            count += 1
            own += (state[p] & _OWN) != 0
        else:
            kept += 1
    if own != most:
        return kept, count, own
    for i in range(count):
        table[kept + i] = flips[i]
    return n, 0, 0


@kernel
def _length(steps: int, per: float, size: int, faces: int) -> int:
    """How many steps an object takes."""
    if per > 0.0 and faces > 0:
        return int(np.floor(steps * (per * size / faces) / 100.0 + 0.5))
    return steps


@kernel
def _mark(runs: Any, state: Any, width: int) -> int:
    """Mark the pixels of an object in the state, and count them."""
    size = 0
    for r in range(len(runs)):
        row = runs[r, 0] * width
        for p in range(row + runs[r, 1], row + runs[r, 2] + 1):
            state[p] |= _OWN
        size += runs[r, 2] - runs[r, 1] + 1
    return size


@kernel
def _begin(runs: Any, out: Any, into: Any, labels: Any, opens: Any, state: Any, shape: Any) -> Any:
    """List the two sides of an outline: pixels outside that may be covered, and inside; and count its faces."""
    depth, height, width = shape
    n_out, n_in, faces = 0, 0, 0
    for r in range(len(runs)):
        y, z = runs[r, 0] % height, runs[r, 0] // height
        for x in range(runs[r, 1], runs[r, 2] + 1):
            p = runs[r, 0] * width + x
            near = 0
            for side in range(6):
                q = beside(side, p, z, y, x, depth, height, width)
                if q < 0 or (state[q] & _OWN) != 0 or labels[q] == 255:
                    continue
                near += 1
                if opens[labels[q]]:
                    if (state[q] & _LISTED) == 0:
                        out = _room(out, n_out, 1)
                        out[n_out] = q
                        n_out += 1
                    state[q] = (state[q] | _LISTED) + _ONE
            if near > 0:
                state[p] = (state[p] | _LISTED) + np.uint8(near) * _ONE
                into = _room(into, n_in, 1)
                into[n_in] = p
                n_in += 1
                faces += near
    return out, into, n_out, n_in, faces


@kernel
def _turn(
    p: int, grows: bool, here: Any, n_here: int, there: Any, n_there: int, labels: Any, opens: Any,
    state: Any, shape: Any,
) -> Any:  # fmt: skip
    """Bring one pixel to the other side: out of the list ``here``, into ``there`` if its new side can change."""
    depth, height, width = shape
    x, row = p % width, p // width
    y, z = row % height, row // height
    state[p] = (state[p] & _KEPT) ^ _FLIPPED
    for side in range(6):
        q = beside(side, p, z, y, x, depth, height, width)
        if q < 0 or labels[q] == 255:
            continue
        inside = ((state[q] & _OWN) != 0) != ((state[q] & _FLIPPED) != 0)
        if inside == grows:  # now on one side: q has one neighbour less on the other
            if inside or opens[labels[q]]:
                state[q] -= _ONE
            continue
        state[p] += _ONE
        if inside or opens[labels[q]]:
            state[q] += _ONE
            if (state[q] & _LISTED) == 0:
                state[q] |= _LISTED
                here[n_here] = q
                n_here += 1
    if state[p] >= _ONE:
        state[p] |= _LISTED
        there[n_there] = p
        n_there += 1
    return n_here, n_there


@kernel
def _note(table: Any, n: int, state: Any, shape: Any, box: Any) -> None:
    """Write down what an object gained and lost, and widen the box by it."""
    _, height, width = shape
    for i in range(n):
        p = table[i]
        if (state[p] & _FLIPPED) == 0:
            continue
        state[p] = (state[p] & ~_FLIPPED) | (_GROWN if (state[p] & _OWN) == 0 else _LOST)
        z, y, x = p // (height * width), p // width % height, p % width
        box[0, 0], box[0, 1] = min(box[0, 0], z), max(box[0, 1], z + 1)
        box[1, 0], box[1, 1] = min(box[1, 0], y), max(box[1, 1], y + 1)
        box[2, 0], box[2, 1] = min(box[2, 0], x), max(box[2, 1], x + 1)


@kernel
def _clear(out: Any, n_out: int, into: Any, n_in: int, runs: Any, state: Any, width: int) -> None:
    """Leave nothing of an object's walk in the state but what came and went."""
    for i in range(n_out):
        state[out[i]] &= _GROWN | _LOST
    for i in range(n_in):
        state[into[i]] &= _GROWN | _LOST
    for r in range(len(runs)):
        row = runs[r, 0] * width
        for p in range(row + runs[r, 1], row + runs[r, 2] + 1):
            state[p] &= ~_OWN


@kernel
def run(
    labels: Any, runs: Any, first: Any, units: Any, steps: int, per: float, opens: Any, key: Any, grow: Any,
    rate: Any, keep: bool, state: Any, box: Any,
) -> None:  # fmt: skip
    """Let the objects of one class grow and shrink, one after the other, each on its own map."""
    shape = labels.shape
    labels = labels.reshape(-1)
    out, into, touched = (
        np.empty(64, dtype=np.int64),
        np.empty(64, dtype=np.int64),
        np.empty(64, dtype=np.int64),
    )
    flips, hits = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.uint8)
    for k in range(len(units)):
        u, n_touched = units[k], 0
        mine = runs[first[k] : first[k + 1]]
        own = size = _mark(mine, state, shape[2])
        out, into, n_out, n_in, faces = _begin(mine, out, into, labels, opens, state, shape)
        t, last = 0, _length(steps, per, size, faces)
        while t < last and n_out + n_in > 0:
            coin = block(key[0], key[1], _LOW, _LOW, np.uint64(t), np.uint64(u))[0]
            grows = coin < grow
            here = out if grows else into
            n = _active(here, n_out if grows else n_in, state)
            if n > len(hits):
                flips, hits = np.empty(2 * n, dtype=np.int64), np.empty(2 * n, dtype=np.uint8)
            _choose(here, n, hits, key, t, u, rate)
            kept, count, going = _split(here, n, hits, flips, state, own if keep and not grows else -1)
            own += going if grows else -going
            t += 1
            here = _room(here, kept, 6 * count)
            there, n_there = (into, n_in) if grows else (out, n_out)
            there, touched = _room(there, n_there, count), _room(touched, n_touched, count)
            for i in range(count):
                kept, n_there = _turn(
                    flips[i], grows, here, kept, there, n_there, labels, opens, state, shape
                )
                if (state[flips[i]] & _FLIPPED) != 0:
                    touched[n_touched] = flips[i]
                    n_touched += 1
            if grows:
                out, into, n_out, n_in = here, there, kept, n_there
            else:
                out, into, n_out, n_in = there, here, n_there, kept
        _note(touched, n_touched, state, shape, box)
        _clear(out, n_out, into, n_in, mine, state, shape[2])


@kernel
def flip(labels: Any, of_class: int, opens: Any, k0: Any, k1: Any, rate: Any, state: Any) -> None:
    """Flip pixels of one class's map; four pixels share a block of words."""
    for start in range(0, len(labels), 4):
        at = np.uint64(start // 4)
        words = block(k0, k1, at & _LOW, at >> _HALF, _LOW, np.uint64(of_class))
        for k in range(min(4, len(labels) - start)):
            p = start + k
            if words[k] < rate and opens[labels[p]]:
                own = labels[p] == of_class
                inside = (own and (state[p] & _LOST) == 0) or (state[p] & _GROWN) != 0
                state[p] = (_LOST if own else _GROWN) if inside == own else np.uint8(0)
