"""Draws against an independent Philox, published vectors and the statistics that they promise."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noisylabels.draws import Draws
from noisylabels.normal import normal_quantile

WORD = 2**64 - 1
ADDRESS = (0, "corrupt", "phantoms", "0", "case_000")


def philox4x64(counter, key):
    """Philox4x64-10 in plain integers, written from the paper (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        one, other = c[0] * 0xD2E7470EE14C6C93, c[2] * 0xCA5A826395121157
        c = [other >> 64 ^ c[1] ^ k[0], other & WORD, one >> 64 ^ c[3] ^ k[1], one & WORD]
        k = [k[0] + 0x9E3779B97F4A7C15 & WORD, k[1] + 0xBB67AE8584CAA73B & WORD]
    return c


def words(seed, *address, count):
    """The words of an address, as docs/draws.md says it in prose."""
    digest = hashlib.sha256("\x1f".join([str(seed), *address]).encode()).digest()
    key = [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")]
    blocks = [philox4x64([block + 1, 0, 0, 0], key) for block in range((count + 3) // 4)]
    return [word for block in blocks for word in block][:count]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        ([WORD] * 4, [WORD] * 2, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
        (
            [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
            [0x452821E638D01377, 0xBE5466CF34E90C6C],
            "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
        ),
    ],
)
def test_independent_philox_gives_the_known_answers_of_random123(counter, key, expected):
    assert " ".join(f"{word:016x}" for word in philox4x64(counter, key)) == expected


@pytest.mark.parametrize("address", [ADDRESS, (-3,), (2**70, "ä", "x y")])
def test_words_are_those_of_the_independent_philox(address):
    assert Draws(*address).words(23).tolist() == words(*address, count=23)


def test_published_vectors():
    assert [f"{word:016x}" for word in Draws(*ADDRESS).words(4).tolist()] == [
        "637c558f1bbfcff8", "25a55ee1796bd063", "15e2bdec127275be", "527c5916fe4b0005",
    ]  # fmt: skip


def test_the_page_publishes_these_vectors():
    page = (Path(__file__).parents[2] / "docs" / "draws.md").read_text(encoding="utf-8")
    for call in (
        "uniform(4)",
        "integers(8, 1, 6)",
        "normal(4)",
        "choice(8, [0.5, 0.3, 0.2])",
        "permutation(8)",
    ):
        values = eval(f"draws.{call}", {"draws": Draws(*ADDRESS)}).tolist()
        assert f"| `{call}` | `{', '.join(map(repr, values))}` |" in page
    hexadecimal = " ".join(f"{word:016x}" for word in words(*ADDRESS, count=4))
    assert f"| `words(4)` | `{hexadecimal}` |" in page


def test_every_kind_of_draw_is_the_stated_arithmetic():
    raw = words(*ADDRESS, count=6)
    draws = Draws(*ADDRESS)
    assert Draws(*ADDRESS).uniform(6).tolist() == [(word >> 11) * 2.0**-53 for word in raw]
    assert Draws(*ADDRESS).uniform(6, -1.0, 3.0).tolist() == [
        -1.0 + 4.0 * ((w >> 11) * 2.0**-53) for w in raw
    ]
    assert Draws(*ADDRESS).integers(6, 5, 11).tolist() == [5 + ((word >> 32) * 7 >> 32) for word in raw]
    midpoints = np.array([((word >> 12) + 0.5) * 2.0**-52 for word in raw])
    assert Draws(*ADDRESS).normal(6, 1.0, 2.0).tolist() == (1.0 + 2.0 * normal_quantile(midpoints)).tolist()
    assert draws.permutation(6).tolist() == sorted(range(6), key=lambda i: raw[i])
    bounds = [0.2, 0.2, 0.5]  # weights .2, 0, .3
    expected = [next(i for i, b in enumerate(bounds) if (w >> 11) * 2.0**-53 * 0.5 < b) for w in raw]
    assert Draws(*ADDRESS).choice(6, [0.2, 0.0, 0.3]).tolist() == expected


def test_calls_continue_the_stream_and_shapes_only_fold_it():
    draws = Draws(*ADDRESS)
    parts = [*draws.words(3).tolist(), *draws.words((2, 2)).ravel().tolist()]
    assert parts == words(*ADDRESS, count=7)
    assert draws.uniform().shape == ()
    assert Draws(1).words(0).shape == (0,)


def test_address_and_not_order():
    one = Draws(5, "a")
    one.words(100)
    assert one.at("b", 3).words(4).tolist() == Draws(5, "a", "b", "3").words(4).tolist()
    streams = [
        Draws(5, "a", "b"),
        Draws(5, "ab"),
        Draws(5, "a").at("b", ""),
        Draws(6, "a", "b"),
        Draws(5, "b", "a"),
    ]
    assert len({tuple(s.words(2).tolist()) for s in streams}) == len(streams)


def test_a_name_cannot_forge_another_address():
    with pytest.raises(ValueError, match="control character"):
        Draws(0, "a\x1fb")


@pytest.mark.parametrize(("low", "high"), [(3, 2), (0, 2**31)])
def test_impossible_spans_are_refused(low, high):
    with pytest.raises(ValueError, match="cannot draw"):
        Draws(0).integers(1, low, high)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [np.inf, 1.0], [np.nan, 1.0]])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        Draws(0).choice(1, weights)


N = 200_000


def within(observed, expected, variance):
    """Five standard deviations: the seed is fixed, so this holds or it does not, for ever."""
    return abs(observed - expected) <= 5 * (variance / N) ** 0.5


def test_uniform_moments_and_cells():
    u = Draws(1, "statistics").uniform(N)
    assert 0 <= u.min() < u.max() < 1
    assert within(u.mean(), 0.5, 1 / 12)
    assert within((u * u).mean(), 1 / 3, 4 / 45)
    assert within((u[1:] * u[:-1]).mean(), 0.25, 7 / 144 * 2)
    counts = np.bincount((u * 100).astype(int), minlength=100)
    assert ((counts - N / 100) ** 2 / (N / 100)).sum() < 99 + 5 * (2 * 99) ** 0.5


def test_normal_moments():
    z = Draws(2, "statistics").normal(N)
    assert within(z.mean(), 0, 1)
    assert within((z**2).mean(), 1, 2)
    assert within((z**3).mean(), 0, 15)
    assert within((z**4).mean(), 3, 96)


def test_integers_and_choice_frequencies():
    rolls = np.bincount(Draws(3, "statistics").integers(N, 1, 6), minlength=7)
    assert rolls[0] == 0
    assert all(within(count / N, 1 / 6, 5 / 36) for count in rolls[1:])
    picks = np.bincount(Draws(4, "statistics").choice(N, [1, 0, 2, 5]), minlength=4) / N
    assert picks[1] == 0
    assert all(within(p, w / 8, w / 8 * (1 - w / 8)) for p, w in zip(picks, [1, 0, 2, 5], strict=True))


@given(n=st.integers(0, 40), seed=st.integers())
@settings(max_examples=25, deadline=None)
def test_permutation_is_one(n, seed):
    assert sorted(Draws(seed).permutation(n).tolist()) == list(range(n))


def test_annotators_have_streams_of_their_own_and_one_in_common():
    draws = Draws(7, "corrupt", "d", "0", "case")
    assert draws.annotator is None
    assert draws.common is draws
    assert draws.at("radius").annotator is None
    first, second = draws.reader(0), draws.reader(1)
    assert (first.annotator, second.annotator) == (0, 1)
    assert first.address == (*draws.address, "annotator", "0")
    own = [stream.at("radius").words(4).tolist() for stream in (draws, first, second)]
    assert len({tuple(words) for words in own}) == 3
    shared = draws.at("radius", 3).words(4).tolist()
    for stream in (first, second):
        assert stream.common.at("radius", 3).words(4).tolist() == shared
        deeper = stream.at("radius").at(3)
        assert deeper.annotator == stream.annotator
        assert deeper.common.words(4).tolist() == shared
        assert deeper.common.annotator is None
    with pytest.raises(ValueError, match="no annotators of its own"):
        first.reader(1)
