"""What every corruption must do, whoever wrote it. A new mode is tested here without any line being added."""

from contextlib import suppress
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mode_facts import FOLDER, facts
from toys import CLASSES, blobs, case, scene, volume

from noisylabels.case import IGNORE
from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.errors import UsageError
from noisylabels.params import build

NAMES = MODES.names()
modes = pytest.mark.parametrize("name", NAMES)
few = settings(max_examples=12, deadline=None, derandomize=True)

label_maps = st.one_of(st.tuples(*[st.integers(1, 14)] * 2), st.tuples(*[st.integers(1, 7)] * 3)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3, IGNORE]))
)


@cache
def settings_of(name):
    """The example, the defaults, every choice of every word that a parameter may be, and the golden settings."""
    module = MODES.load(name)
    found = [module.EXAMPLE]
    with suppress(UsageError, TypeError):  # a mode may need a value that has no default
        found.append(module.Params())
    for field in fields(module.Params):
        for word in getattr(field.type, "__args__", ()):
            if isinstance(word, str):
                with suppress(UsageError):  # a word may need another value: then a golden setting has both
                    found.append(replace(module.EXAMPLE, **{field.name: word}))
    found += [build(module.Params, values, f"mode '{name}'") for values in facts(name).golden]
    return [params for number, params in enumerate(found) if params not in found[:number]]


def toys_of(name):
    return [toy() for dims, toy in ((2, scene), (3, volume)) if dims in facts(name).dims]


def shapes_of(name, *shapes):
    return [shape for shape in shapes if len(shape) in facts(name).dims]


def drawn(module):
    return "No number is drawn" not in " ".join(module.__doc__.split())


def corrupt(name, one, params=None, draws=None):
    module = MODES.load(name)
    return module.corrupt(one, params or module.EXAMPLE, draws or Draws(0, "contract"))


def spaced(labels):
    return case(labels, spacing=(0.5,) * labels.ndim)


@modes
def test_module_has_what_it_must_have(name):
    module = MODES.load(name)
    assert isinstance(module.VERSION, int)
    assert module.VERSION >= 1
    assert "Source:" in module.__doc__
    documented = module.Params.__doc__.partition("Attributes:")[2]
    assert all(f"        {field.name}: " in documented for field in fields(module.Params))
    assert "classes" in {field.name for field in fields(module.Params)}
    assert isinstance(module.EXAMPLE, module.Params)
    assert set(getattr(module, "NEEDS", ())) <= {"image", "readers", "scores"}


def test_every_file_of_facts_has_its_mode():
    assert {path.stem.replace("_", "-") for path in FOLDER.glob("*.toml")} == set(NAMES)


@modes
@given(labels=label_maps)
@few
def test_gives_a_label_map_and_leaves_its_input_alone(name, labels):
    if labels.ndim not in facts(name).dims:
        with pytest.raises(UsageError):
            corrupt(name, spaced(labels))
        return
    for params in settings_of(name):
        before = labels.copy()
        labels.flags.writeable = False
        found = corrupt(name, spaced(labels), params)
        assert found.shape == labels.shape
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous
        assert not np.shares_memory(found, labels)
        assert np.array_equal(labels, before)
        assert np.array_equal(found == IGNORE, labels == IGNORE)
        assert set(np.unique(found)) <= {0, 1, 2, 3, IGNORE}
        assert np.array_equal(found, corrupt(name, spaced(labels), params))


@modes
def test_example_changes_a_toy_case(name):
    for toy in toys_of(name):
        assert not np.array_equal(corrupt(name, toy), toy.labels)


@modes
def test_draws_of_the_caller_are_not_used_up(name):
    draws = Draws(0, "contract")
    for toy in toys_of(name):
        assert np.array_equal(corrupt(name, toy, draws=draws), corrupt(name, toy, draws=draws))


@modes
def test_random_modes_depend_on_the_address(name):
    toy = toys_of(name)[0]
    maps = {corrupt(name, toy, draws=Draws(0, str(k))).tobytes() for k in range(8)}
    assert (len(maps) > 1) == drawn(MODES.load(name))


@modes
def test_no_strength_is_identity_and_all_of_it_the_setting(name):
    module = MODES.load(name)
    if not hasattr(module, "scaled"):
        assert not facts(name).nests, "what has a strength can be scaled"
        return
    for params in settings_of(name):
        assert module.scaled(params, 1.0) == params
        for toy in toys_of(name):
            assert np.array_equal(corrupt(name, toy, module.scaled(params, 0.0)), toy.labels), params
            corrupt(name, toy, module.scaled(params, 1e6))  # clipped where there is a limit


@modes
@pytest.mark.parametrize("value", [0, 1, 3, IGNORE])
def test_uniform_maps(name, value):
    for shape in shapes_of(name, (1, 1), (1, 9), (9, 1), (6, 8), (1, 1, 1), (4, 5, 6)):
        labels = np.full(shape, value, np.uint8)
        found = corrupt(name, case(labels))
        assert found.shape == shape
        if value in (0, IGNORE):
            assert np.array_equal(found, labels), "nothing may appear where no object is"


@modes
@pytest.mark.parametrize("corner", [0, -1])
def test_one_pixel_at_a_corner(name, corner):
    for shape in shapes_of(name, (9, 11), (9, 9, 11)):
        labels = np.zeros(shape, np.uint8)
        labels[(corner,) * len(shape)] = 2
        found = corrupt(name, case(labels))
        assert np.array_equal(found, corrupt(name, case(labels)))
        if facts(name).near:
            middle = tuple(n // 2 for n in shape)
            assert found[middle] == 0, "a corner pixel reaches the middle of the frame"


@modes
def test_rows_and_columns_are_treated_alike(name):
    if drawn(MODES.load(name)) or not facts(name).turns or 2 not in facts(name).dims:
        return
    labels = blobs((30, 40), 3).labels
    turned = corrupt(name, case(np.ascontiguousarray(labels.T)))
    assert (corrupt(name, case(labels)) != turned.T).mean() < 0.002  # pixels that lie exactly on an outline


@modes
def test_one_slice_is_the_plane(name):
    """What a plane does, a volume of one slice does, where the two are drawn alike."""
    known = facts(name)
    if not known.plane or known.dims != (2, 3):
        return
    plane = blobs((24, 32), 5)
    slab = case(plane.labels[None])
    for params in settings_of(name):
        if any(field.name.endswith("_mm") and getattr(params, field.name) for field in fields(params)):
            continue  # these toys have no spacing
        if any(getattr(params, field) in words for field, words in known.plane_except.items()):
            continue
        assert np.array_equal(corrupt(name, slab, params)[0], corrupt(name, plane, params)), params


@modes
def test_classes_that_were_not_chosen_stay(name):
    module = MODES.load(name)
    for toy in toys_of(name):
        found = corrupt(name, toy, replace(module.EXAMPLE, classes=(1, 2)))
        assert not ((toy.labels == 3) & (found != 3)).any()


@modes
@pytest.mark.parametrize("classes", [(), (1, 1), (-1,)])
def test_impossible_classes_are_refused(name, classes):
    with pytest.raises(UsageError):
        replace(MODES.load(name).EXAMPLE, classes=classes)


@modes
def test_undeclared_class_is_refused_by_case(name):
    for toy in toys_of(name):
        with pytest.raises(UsageError, match="toy"):
            corrupt(name, toy, replace(MODES.load(name).EXAMPLE, classes=(1, len(CLASSES))))


NESTED = {
    "rate": (0.0, 0.1, 0.25, 0.4, 0.7, 1.0),
    "radius_px": ((0.0, 0.0), (0.0, 1.0), (0.5, 1.5), (1.0, 3.0), (2.0, 6.0)),
}
"""Values of rising strength for parameters that stronger settings contain weaker ones of."""


@modes
@pytest.mark.parametrize("number", range(3))
def test_stronger_contains_weaker(name, number):
    for shape in shapes_of(name, (48, 60), (8, 20, 24)):
        one = blobs(shape, number, ignore=number == 1)
        for field in facts(name).nests:
            for example in settings_of(name):
                if getattr(example, field) is None:
                    continue
                changed = np.zeros(shape, dtype=bool)
                for value in NESTED[field]:
                    now = corrupt(name, one, replace(example, **{field: value})) != one.labels
                    assert not (changed & ~now).any(), (example, value)
                    changed = now
