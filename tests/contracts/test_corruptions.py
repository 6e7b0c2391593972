"""What every corruption must do, whoever wrote it. A new mode is tested here without any line being added."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toys import CLASSES, blobs, case, scene, volume

from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.errors import UsageError

NAMES = MODES.names()
modes = pytest.mark.parametrize("name", NAMES)
few = settings(max_examples=12, deadline=None, derandomize=True)

label_maps = st.one_of(st.tuples(*[st.integers(1, 14)] * 2), st.tuples(*[st.integers(1, 7)] * 3)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3, IGNORE]))
)

NOTHING = {
    "symmetric": {"rate": 0.0},
    "asymmetric": {"rate": 0.0},
    "pair-flip": {"rate": 0.0},
    "dilate": {"radius_px": (0.0, 0.0)},
    "erode": {"radius_px": (0.0, 0.0)},
    "boundary": {"radius_px": (0.0, 0.0)},
}
"""Parameters of no strength. A mode without a strength, as ellipse, has none."""


def variants(module):
    """The example, and every choice of every word that a parameter may be."""
    found = [module.EXAMPLE, module.Params()]
    for field in fields(module.Params):
        for word in getattr(field.type, "__args__", ()):
            if isinstance(word, str):
                found.append(replace(module.EXAMPLE, **{field.name: word}))
    return found


def drawn(module):
    return "No number is drawn" not in " ".join(module.__doc__.split())


def corrupt(name, one, params=None, draws=None):
    module = MODES.load(name)
    return module.corrupt(one, params or module.EXAMPLE, draws or Draws(0, "contract"))


@modes
def test_module_has_what_it_must_have(name):
    module = MODES.load(name)
    assert isinstance(module.VERSION, int)
    assert module.VERSION >= 1
    assert "Source:" in module.__doc__
    documented = module.Params.__doc__.partition("Attributes:")[2]
    assert all(f"        {field.name}: " in documented for field in fields(module.Params))
    assert isinstance(module.Params(), module.Params)


@modes
@given(labels=label_maps)
@few
def test_gives_a_label_map_and_leaves_its_input_alone(name, labels):
    for params in variants(MODES.load(name)):
        before = labels.copy()
        labels.flags.writeable = False
        found = corrupt(name, case(labels), params)
        assert found.shape == labels.shape
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous
        assert not np.shares_memory(found, labels)
        assert np.array_equal(labels, before)
        assert np.array_equal(found == IGNORE, labels == IGNORE)
        assert set(np.unique(found)) <= {0, 1, 2, 3, IGNORE}
        assert np.array_equal(found, corrupt(name, case(labels), params))


@modes
@pytest.mark.parametrize("toy", [scene, volume])
def test_example_changes_a_toy_case(name, toy):
    assert not np.array_equal(corrupt(name, toy()), toy().labels)


@modes
def test_draws_of_the_caller_are_not_used_up(name):
    draws = Draws(0, "contract")
    first = corrupt(name, scene(), draws=draws)
    assert np.array_equal(first, corrupt(name, scene(), draws=draws))


@modes
def test_random_modes_depend_on_the_address(name):
    module = MODES.load(name)
    maps = {corrupt(name, scene(), draws=Draws(0, str(k))).tobytes() for k in range(8)}
    assert (len(maps) > 1) == drawn(module)


@modes
@pytest.mark.parametrize("toy", [scene, volume])
def test_no_strength_is_identity(name, toy):
    if name not in NOTHING:
        assert not [f.name for f in fields(MODES.load(name).Params) if f.name in ("rate", "radius_px")]
        return
    module = MODES.load(name)
    for example in variants(module):
        found = corrupt(name, toy(), replace(example, **NOTHING[name]))
        assert np.array_equal(found, toy().labels)


@modes
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (6, 8), (1, 1, 1), (4, 5, 6)])
@pytest.mark.parametrize("value", [0, 1, 3, IGNORE])
def test_uniform_maps(name, shape, value):
    labels = np.full(shape, value, np.uint8)
    found = corrupt(name, case(labels))
    assert found.shape == shape
    if value in (0, IGNORE):
        assert np.array_equal(found, labels), "nothing may appear where no object is"


@modes
@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_one_pixel_at_a_corner(name, corner):
    labels = np.zeros((7, 9), np.uint8)
    labels[corner] = 2
    found = corrupt(name, case(labels))
    assert np.array_equal(found, corrupt(name, case(labels)))
    far = np.zeros_like(labels)
    far[3:4, 4:5] = 1
    assert not (found * far).any(), "a corner pixel reaches the middle of the frame"


@modes
def test_rows_or_columns_are_treated_alike(name):
    """Modes without draws, or whose draws are per object, must not prefer an axis: here only ellipse is."""
    module = MODES.load(name)
    if drawn(module):
        return
    labels = blobs((30, 40), 3).labels
    turned = corrupt(name, case(np.ascontiguousarray(labels.T)))
    assert (corrupt(name, case(labels)) != turned.T).mean() < 0.002  # pixels that lie exactly on an ellipse


@modes
def test_one_slice_is_the_plane(name):
    """What a plane does, a volume of one slice does, where the two are drawn alike."""
    module = MODES.load(name)
    plane = blobs((24, 32), 5)
    slab = case(plane.labels[None])
    for params in variants(module):
        if getattr(params, "granularity", "object") != "object":
            continue  # a volume has more half-lines and control points, so it draws other numbers
        if name == "ellipse" and params.fit == "moments" and not params.per_slice:
            continue  # a slice of an ellipsoid is another ellipse: D + 2 differs
        assert np.array_equal(corrupt(name, slab, params)[0], corrupt(name, plane, params))


@modes
def test_classes_that_were_not_chosen_stay(name):
    module = MODES.load(name)
    one = scene()
    params = replace(module.EXAMPLE, classes=(1, 2))
    found = corrupt(name, one, params)
    assert not ((one.labels == 3) & (found != 3)).any()


@modes
@pytest.mark.parametrize("classes", [(), (1, 1), (-1,)])
def test_impossible_classes_are_refused(name, classes):
    with pytest.raises(UsageError):
        MODES.load(name).Params(classes=classes)


@modes
def test_undeclared_class_is_refused_by_case(name):
    with pytest.raises(UsageError, match="toy"):
        corrupt(name, scene(), replace(MODES.load(name).EXAMPLE, classes=(1, len(CLASSES))))


NESTED = {
    "rate": (0.0, 0.1, 0.25, 0.4, 0.7, 1.0),
    "radius_px": ((0.0, 0.0), (0.0, 1.0), (0.5, 1.5), (1.0, 3.0), (2.0, 6.0)),
}


@modes
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("shape", [(48, 60), (8, 20, 24)])
def test_stronger_contains_weaker(name, number, shape):
    module = MODES.load(name)
    one = blobs(shape, number, ignore=number == 1)
    strength = [f.name for f in fields(module.Params) if f.name in NESTED]
    for field in strength:
        for example in variants(module):
            changed = np.zeros(shape, dtype=bool)
            for value in NESTED[field]:
                now = corrupt(name, one, replace(example, **{field: value})) != one.labels
                assert not (changed & ~now).any(), (example, value)
                changed = now
