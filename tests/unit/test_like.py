"""Noise like that of real readers: fields, displacement, its measurement, profiles, and that they agree."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import blobs, read

from noisylabels.case import IGNORE, Case
from noisylabels.corruptions import like
from noisylabels.draws import Draws
from noisylabels.errors import InvalidData, UsageError
from noisylabels.metrics import displacement
from noisylabels.metrics._variogram import Variogram
from noisylabels.parts import profiles

few = settings(max_examples=25, deadline=None, derandomize=True)
NONE = "bias 0, object 0, outline 0, length 5, omission 0"


def discs(number, count=4, side=70, low=14, high=24, spacing=None):
    """A square of so many discs in a row and column, far apart."""
    rng = np.random.default_rng(number)
    labels = np.zeros((count * side, count * side), np.uint8)
    y, x = np.indices((side, side)) - side // 2
    for k in range(count * count):
        r = rng.uniform(low, high)
        part = labels[(k // count) * side :, (k % count) * side :][:side, :side]
        part[y * y + x * x <= r * r] = 1
    return Case(
        case_id=f"case_{number:03d}", labels=labels, classes=("background", "nodule"), spacing=spacing,
        image=labels[None],
    )  # fmt: skip


def noisy(one, text, draws=None, **params):
    return like.corrupt(one, like.Params(profile=text, **params), draws or Draws(0, one.case_id))


def pooled(cases, text, ranges=1):
    total = displacement.Totals()
    for one in cases:
        found = displacement.read(one.labels, noisy(one, text), 1)
        total.add(found, None, one.labels.shape)
    return total.result(ranges)


def test_displacement_of_a_shifted_side():
    low = np.zeros((30, 40), np.uint8)
    low[10:20, 10:30] = 1
    high = low.copy()
    high[7:10, 10:30] = 1
    found = displacement.read(low, high, 1)
    upper = (found.places[:, 0] == found.places[:, 0].min()) & (found.shifts != 0)
    assert np.count_nonzero(found.shifts == 3.0) == 18
    assert (found.shifts >= 0).all()
    assert np.count_nonzero(found.shifts > 0) == np.count_nonzero(upper) == 20, (
        "corners take part of the sides"
    )
    assert (found.pixels.tolist(), found.missed.tolist(), found.added) == ([200], [False], 0)
    back = displacement.read(high, low, 1).shifts
    assert np.count_nonzero(back == -3.0) >= 18
    assert back.min() == -3.0
    assert back.max() == 0.0


def test_missed_added_and_unlabelled():
    reference, given_by = read("11.11.1\n11.11.x"), read("..1.1.x\n..1.1..")
    found = displacement.read(reference, given_by, 1)
    assert found.missed.tolist() == [True, False], "the third has no label in the reader's map"
    assert found.added == 1
    assert displacement.read(read("1..."), read("1.1."), 1).added == 1
    assert len(displacement.read(read("1..."), read("...."), 1).shifts) == 0
    assert len(displacement.read(read("11"), read("11"), 1).shifts) == 0, "the frame is no outline"
    with pytest.raises(InvalidData):
        displacement.read(read("1"), read("11"), 1)


@given(seed=st.integers(0, 60), other=st.integers(0, 60))
@few
def test_displacement_is_what_its_definition_says(seed, other):
    reference = blobs((14, 16), seed, count=3, radius=5, ignore=seed % 3 == 0).labels
    given_by = blobs((14, 16), other, count=3, radius=5).labels
    found = displacement.read(reference, given_by, 1, (2.0, 0.5))
    known = (reference != IGNORE) & (given_by != IGNORE)

    def sides(mask):
        for y, x in np.argwhere(mask & known):
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                at = y + dy, x + dx
                if 0 <= at[0] < 14 and 0 <= at[1] < 16 and known[at] and not mask[at]:
                    yield (y + dy / 2) * 2.0, (x + dx / 2) * 0.5

    mine = np.array(sorted(sides(reference == 1))).reshape(-1, 2)
    theirs = np.array(list(sides(given_by == 1))).reshape(-1, 2)
    if not len(found.shifts):
        return
    places = found.places - found.places.min(axis=0)
    assert len(places) <= len(mine)
    assert (np.abs(found.shifts) <= np.hypot(28, 8)).all()
    every = np.hypot(*(mine[:, None] - theirs[None]).transpose(2, 0, 1))
    assert np.abs(found.shifts).max() <= max(every.min(axis=0).max(), every.min(axis=1).max()) + 1e-9
    assert np.isclose(np.abs(found.shifts).min(), 0) or every.min() > 0


def test_a_known_field_is_found_again():
    rng = np.random.default_rng(0)
    gathered = Variogram(1.0)
    angle = np.arange(0, 2 * np.pi, 2 * np.pi / 240)
    places = 40 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    far = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=-1))
    root = np.linalg.cholesky(4.0 * np.exp2(-((far / 9.0) ** 2)) + 1e-6 * np.eye(240))
    for _ in range(300):
        noise = rng.normal(size=240) * 0.5
        gathered.add(places, 1.0 + 1.5 * rng.normal() + root @ rng.normal(size=240) + noise)
    field = gathered.field()
    assert abs(field.sd - 2.0) < 0.1
    assert abs(field.length - 9.0) < 0.5
    assert abs(field.rough - 0.5) < 0.1
    bias, spread = gathered.offsets(field)
    assert abs(bias - 1.0) < 0.25
    assert abs(spread - 1.5) < 0.15


def test_nothing_to_measure():
    empty = displacement.Totals().result(3)
    assert (empty.readings, empty.bias, empty.field.sd, empty.omission, empty.sizes) == (
        0,
        0.0,
        0.0,
        (0.0,),
        (),
    )
    total = displacement.Totals()
    one = read(".....\n.111.\n.....")
    total.add(displacement.read(one, one, 1), None, one.shape)
    assert total.result().object_sd == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "px; *: bias 0.6, object 1, outline 1.5, length 10, omission 0.2",
        "px; *: bias -1, object 0.5, outline 1, length 6, omission 0",
        "px; *: bias 0, object 1.5, outline 0, length 6, omission 0",
    ],
)
def test_what_is_drawn_has_the_profile_that_was_asked_for(text):
    asked, found = profiles.read(text).classes[0], pooled([discs(k) for k in range(12)], text)
    assert abs(found.bias - asked.bias) < 0.25
    assert abs(found.object_sd - asked.object_sd) < 0.2
    assert abs(found.field.sd - asked.outline_sd) < 0.12
    if asked.outline_sd:
        assert abs(found.field.length / asked.length - 1) < 0.12
    assert abs(found.missed / found.readings - asked.omission[0]) < 0.09


def test_omission_follows_the_size():
    cases = [discs(k, low=4, high=24) for k in range(25)]
    found = pooled(cases, "px; *: bias 0, object 0, outline 0, length 5, omission 0.6<20 0.3<35 0.05")
    total = displacement.Totals()
    for one in cases:
        map_ = noisy(one, "px; *: bias 0, object 0, outline 0, length 5, omission 0.6<20 0.3<35 0.05")
        total.add(displacement.read(one.labels, map_, 1), None, one.labels.shape)
    rates = total.result(ranges=8).omission
    assert rates[0] > 0.45
    assert rates[-1] < 0.2
    assert found.missed == total.result().missed


# -- profiles -------------------------------------------------------------------------------------------------


def test_a_line_and_its_numbers():
    text = (
        "mm; lung nodule: bias -0.21, object 0.4, outline 0.55, length 3.1, omission 0.3<6 0.1<12 0.05; *: "
        + NONE
    )
    profile = profiles.read(text)
    assert profile.text == text
    assert profile.of("lung nodule").sizes == (6.0, 12.0)
    assert profile.of("other").name == "*"
    assert profiles.read("px; a: bias 1").of("whatever") == profiles.ClassProfile(name="a", bias=1.0)
    with pytest.raises(UsageError, match="did you mean 'lesion'"):
        profiles.read("px; lesion: bias 1; organ: bias 0").of("lesions")


@pytest.mark.parametrize(
    "text",
    [
        "", "px", "missing.toml", "cm; a: bias 1", "px; a: bias x", "px; a: biass 1", "px; a: bias 1 2",
        "px; a: object -1", "px; a: length 0", "px; a: omission 1.5", "px; a: omission 0.1 0.2",
        "px; a: omission 0.1<5 0.2<4 0", "px; a: bias 1; a: bias 2", "px; : bias 1", "px; a: bias nan",
        "px; a: bias inf", "[profile]", "[profile]\nunit = 1", "[profile", "[profile]\nunit='px'\n[[classes]]",
        "[profile]\nunit='px'\nclasses=1",
    ],
)  # fmt: skip
def test_a_wrong_profile_is_refused(text):
    with pytest.raises(UsageError):
        like.Params(profile=text)


def test_a_class_that_several_profiles_leave_out_is_refused():
    text = "px; shaft: bias 1; wrist: bias 1"
    with pytest.raises(UsageError, match="clasper"):
        noisy(blobs((9, 9)), text)
    noisy(blobs((9, 9)), text, classes=(1, 2))


def test_mm_is_px_times_spacing():
    one = discs(3, count=2, spacing=(0.5, 0.5))
    px = noisy(one, "px; *: bias 1, object 1, outline 1, length 8, omission 0.5<30 0")
    mm = noisy(one, "mm; *: bias 0.5, object 0.5, outline 0.5, length 4, omission 0.5<15 0")
    assert (px != mm).mean() < 0.002, "displacements are rounded to about 1/64 px"
    with pytest.raises(UsageError, match="no spacing"):
        noisy(discs(3, count=1), "mm; *: bias 1")


def test_strength_scales_all_of_it():
    one = discs(1, count=2)
    base = like.Params(profile="px; *: bias 1, object 1, outline 0, length 8, omission 0")
    doubled = replace(base, profile="px; *: bias 2, object 2, outline 0, length 8, omission 0")
    draws = Draws(0, "s")
    assert np.array_equal(like.corrupt(one, like.scaled(base, 2.0), draws), like.corrupt(one, doubled, draws))
