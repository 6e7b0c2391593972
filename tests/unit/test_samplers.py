"""How batches are put together: every case as often as it should come, every epoch as long as the others."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from small import small_dataset

from noisylabels.errors import UsageError
from noisylabels_plugins.batches import TrainingSet
from noisylabels_plugins.samplers import SAMPLERS, repeat_factor, repeat_factors, shuffle, two_stream
from noisylabels_plugins.trusted import Trusted


def cases(others, trusted=0, seed=0, holds=None):
    ids = [f"case_{i}" for i in range(others + trusted)]
    known = np.ones((len(ids), 2), bool) if holds is None else holds
    return SimpleNamespace(
        ids=ids, seed=seed, trusted=frozenset(ids[:trusted]), holds=dict(zip(ids, known, strict=True))
    )


def rare(count=40, seed=0):
    """Class 1 in half of the cases, class 2 in two of forty, class 3 in none."""
    holds = np.zeros((count, 4), bool)
    holds[:, 0], holds[: count // 2, 1], holds[:2, 2] = True, True, True
    return cases(count, seed=seed, holds=holds)


def flat(batches):
    return [case_id for batch in batches for case_id in batch]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("batch_size", [2, 3, 7, 100])
def test_every_epoch_is_as_long_and_different_and_the_same_again(name, batch_size):
    for data in (cases(11, 3), rare()):
        epochs = [SAMPLERS[name](data, epoch, batch_size) for epoch in range(6)]
        assert len({tuple(map(len, epoch)) for epoch in epochs}) == 1
        assert epochs[2] == SAMPLERS[name](data, 2, batch_size)
        assert len({tuple(flat(epoch)) for epoch in epochs}) == 6
        assert all(0 < len(batch) <= batch_size for epoch in epochs for batch in epoch)
        assert {case_id for epoch in epochs for case_id in flat(epoch)} == set(data.ids)


@pytest.mark.parametrize("name", SAMPLERS)
def test_another_seed_gives_other_batches(name):
    one, other = (SAMPLERS[name](cases(11, 3, seed), 0, 4) for seed in (0, 1))
    assert one != other


def test_shuffle_takes_every_case_once():
    batches = shuffle(cases(11), 0, 4)
    assert [len(batch) for batch in batches] == [4, 4, 3]
    assert Counter(flat(batches)) == Counter(cases(11).ids)


@pytest.mark.parametrize("batch_size", [2, 3, 4, 5, 8])
@pytest.mark.parametrize(("others", "trusted"), [(10, 4), (9, 4), (1, 7), (30, 1), (3, 3)])
def test_half_of_every_batch_is_trusted(batch_size, others, trusted):
    data = cases(others, trusted)
    batches = two_stream(data, 0, batch_size)
    half = min(batch_size // 2, trusted)
    known = [[case_id in data.trusted for case_id in batch] for batch in batches]
    assert [sum(batch) for batch in known] == [half] * len(batches)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    times = Counter(flat(batches))
    assert all(times[case_id] == 1 for case_id in data.ids if case_id not in data.trusted)
    rounds = [times[case_id] for case_id in data.trusted]
    assert max(rounds) - min(rounds) <= 1, "trusted cases take turns"


def test_every_round_of_trusted_cases_has_an_order_of_its_own():
    data = cases(40, 4)
    stream = [[c for c in flat(two_stream(data, epoch, 4)) if c in data.trusted] for epoch in (0, 1)]
    rounds = [tuple(one[start : start + 4]) for one in stream for start in range(0, 40, 4)]
    assert len(set(rounds)) > 10, "of 24 orders"
    assert stream[0][:4] != stream[1][:4] or stream[0][4:8] != stream[1][4:8], "another one in every epoch"


def test_both_kinds_take_turns_in_a_batch():
    data = cases(8, 4)
    known = [[case_id in data.trusted for case_id in batch] for batch in two_stream(data, 0, 4)]
    assert known == [[True, False, True, False]] * 4


def test_a_batch_of_one_has_no_half():
    with pytest.raises(UsageError, match="--batch-size 2 or more"):
        two_stream(cases(4, 2), 0, 1)


@pytest.mark.parametrize("trusted", [0, 5])
def test_without_two_kinds_there_is_one_stream(trusted):
    data = cases(5 - trusted, trusted)
    assert two_stream(data, 3, 1) == shuffle(data, 3, 1)


def test_repeat_factors_by_their_formula():
    holds = np.array([list(rare().holds[case_id]) for case_id in rare().ids])
    factors = repeat_factors(holds)
    assert factors[:2] == pytest.approx(np.sqrt(0.15 / 0.05))
    assert factors[2:] == pytest.approx(1)
    assert (repeat_factors(np.ones((5, 4), bool)) == 1).all(), "noise puts every class everywhere"


def test_rare_classes_come_as_often_as_their_factor_says():
    data, factor = rare(), np.sqrt(0.15 / 0.05)
    epochs = [Counter(flat(repeat_factor(data, epoch, 4))) for epoch in range(400)]
    times = np.array([[epoch[case_id] for case_id in data.ids] for epoch in epochs])
    assert set(times.sum(1)) == {int(38 + 2 * factor)}
    assert set(np.unique(times[:, :2])) <= {0, 1, 2}
    # 41 of 41.46 cases are drawn, whichever they are.
    assert times[:, :2].mean() == pytest.approx(factor * 41 / (38 + 2 * factor), abs=0.05)
    assert times[:, 2:].mean() == pytest.approx(41 / (38 + 2 * factor), abs=0.01)


def test_the_length_of_an_epoch_is_rounded_down():
    holds = np.zeros((40, 2), bool)
    holds[:4, 1] = True
    factor = np.sqrt(0.15 / 0.1)
    assert 0.8 < (36 + 4 * factor) % 1 < 1
    assert len(flat(repeat_factor(cases(40, holds=holds), 0, 4))) == 40


def test_a_case_that_comes_twice_is_not_always_followed_by_itself():
    epochs = [flat(repeat_factor(rare(), epoch, 4)) for epoch in range(20)]
    twice = [(epoch, case_id) for epoch in epochs for case_id, count in Counter(epoch).items() if count == 2]
    apart = [epoch[epoch.index(case_id) + 1] != case_id for epoch, case_id in twice]
    assert sum(apart) > len(apart) / 2


def test_without_rare_classes_every_case_comes_once():
    batches = repeat_factor(cases(10), 0, 4)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert Counter(flat(batches)) == Counter(cases(10).ids)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("samplers") / "clean", count=12)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("batch_size", [2, 3, 5])
def test_a_training_set_has_as_many_updates_as_batches(dataset, name, batch_size):
    ids = dataset.ids("train")
    data = TrainingSet(dataset, dataset, 0, (), name, Trusted(frozenset(ids[:2])))
    steps = data.steps_per_epoch(batch_size)
    for epoch in (0, 1):
        drawn = [data.batch(epoch, index, batch_size).case_ids for index in range(steps)]
        assert [list(batch) for batch in drawn] == SAMPLERS[name](data, epoch, batch_size)
        with pytest.raises(IndexError):
            data.batch(epoch, steps, batch_size)


def test_a_training_set_knows_which_classes_a_case_holds(dataset):
    data = TrainingSet(dataset, dataset, 0, ())
    for case_id in data.ids:
        assert set(np.flatnonzero(data.holds[case_id])) == set(np.unique(data.labels[case_id]))


def test_a_case_that_comes_again_looks_different(dataset):
    ids = dataset.ids("train")
    data = TrainingSet(dataset, dataset, 0, ("intensity",), "two-stream", Trusted(frozenset(ids[:1])))
    images = [data.batch(0, index, 2).image[0] for index in range(data.steps_per_epoch(2))]
    assert [data.batch(0, index, 2).case_ids[0] for index in range(len(images))] == ids[:1] * len(images)
    assert not any((one == other).all() for one, other in pairwise(images))
