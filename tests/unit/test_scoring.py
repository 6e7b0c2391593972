from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noisylabels.case import IGNORE
from noisylabels.errors import InvalidData, UsageError
from noisylabels.metrics import surface
from noisylabels.scoring import (
    DEFINITIONS,
    RULES,
    CaseScore,
    Spread,
    definition,
    gap_closed,
    paired,
    read_scores,
    score_case,
    summarise,
    write_scores,
)

PLAIN = {"shaft": (1,), "wrist": (2,)}


def drawn(text):
    return np.array([[IGNORE if c == "x" else int(c) for c in line] for line in text.split()], np.uint8)


def values(scores, structure):
    return {s.metric: s.value for s in scores if s.structure == structure}


def test_a_drawn_case():
    scores = score_case("a", drawn("1100 1100 0000"), drawn("0110 0110 0002"), PLAIN)
    shaft = values(scores, "shaft")
    assert (shaft["tp"], shaft["fp"], shaft["fn"]) == (2, 2, 2)
    assert shaft["dice"] == 0.5
    assert shaft["jaccard"] == pytest.approx(1 / 3)
    assert shaft["hd95_px"] == shaft["hd95_px"] == 1
    assert shaft["assd_px"] == 0.5
    wrist = [s for s in scores if s.structure == "wrist"]
    assert {s.note for s in wrist} == {"missed"}
    assert values(wrist, "wrist")["hd95_px"] == 5


def test_a_spacing_gives_millimetres():
    scores = score_case("a", drawn("1100"), drawn("0110"), {"shaft": (1,)}, (1.0, 0.5))
    assert {s.metric for s in scores} == {"dice", "jaccard", "hd95_mm", "assd_mm", "tp", "fp", "fn"}
    assert values(scores, "shaft")["hd95_mm"] == 0.5


def test_structures_may_share_classes():
    regions = {"lung": (1, 3), "clavicle": (2, 3)}
    scores = score_case("a", drawn("1133 2200"), drawn("1133 2200"), regions)
    assert values(scores, "lung")["tp"] == 4
    swapped = score_case("a", drawn("1111 2200"), drawn("1133 2200"), regions)
    assert values(swapped, "lung")["dice"] == 1
    assert values(swapped, "clavicle")["fn"] == 2
    expected = surface.hd95(drawn("0011 1100") > 0, drawn("0000 1100") > 0)
    assert values(swapped, "clavicle")["hd95_px"] == expected


def test_ignored_pixels_count_neither_way():
    scores = score_case("a", drawn("1111 0000"), drawn("11xx x000"), {"shaft": (1,)})
    assert values(scores, "shaft")["dice"] == 1
    assert values(scores, "shaft")["hd95_px"] == 0


def test_a_prediction_of_another_shape_is_refused_by_name():
    with pytest.raises(InvalidData, match=r"case_7.*shape"):
        score_case("case_7", drawn("00"), drawn("000"), PLAIN)


def test_a_prediction_without_a_class_is_refused():
    with pytest.raises(InvalidData, match=r"case_7.*255"):
        score_case("case_7", drawn("0x"), drawn("00"), PLAIN)


def two_cases():
    """The shaft is in both references, the wrist in the first only; the second prediction invents a wrist."""
    one = score_case("a", drawn("1100 2200"), drawn("1110 2000"), PLAIN)
    two = score_case("b", drawn("1000 2220"), drawn("1000 0000"), PLAIN)
    return one + two


def test_present_leaves_out_images_without_the_structure():
    found = summarise(two_cases(), "present")
    assert found.cases == {"shaft": 2, "wrist": 1}
    assert found.values["shaft"]["dice"] == pytest.approx((4 / 5 + 1) / 2)
    assert found.values["wrist"]["dice"] == pytest.approx(2 / 3)
    assert found.mean["dice"] == pytest.approx((0.9 + 2 / 3) / 2)
    assert "tp" not in found.mean


def test_pooled_counts_the_pixels_of_all_images():
    found = summarise(two_cases(), "pooled")
    assert found.cases == {"shaft": 2, "wrist": 2}
    assert found.values["shaft"]["dice"] == pytest.approx(6 / 7)
    assert found.values["wrist"]["dice"] == pytest.approx(2 / 6)
    assert set(found.mean) == {"dice", "jaccard"}


def test_a_structure_that_no_image_holds_has_no_value_and_does_not_move_the_mean():
    found = summarise(score_case("a", drawn("1100"), drawn("1100"), PLAIN), "present")
    assert found.values["wrist"]["dice"] is None
    assert found.cases["wrist"] == 0
    assert found.mean["dice"] == 1
    nothing = summarise(score_case("a", drawn("0000"), drawn("0000"), PLAIN), "present")
    assert nothing.mean["dice"] is None
    assert summarise([], "pooled").values == {}


def test_rules_are_named():
    with pytest.raises(UsageError, match="did you mean 'pooled'"):
        summarise(two_cases(), "poold")
    assert set(RULES) == {"present", "pooled"}


def test_scores_without_counts_are_refused():
    with pytest.raises(InvalidData, match=r"Case a .*shaft"):
        summarise([CaseScore("a", "shaft", "dice", 0.5)])


def test_scores_survive_the_disk(tmp_path):
    scores = two_cases()
    scores.append(CaseScore("c", "left, lower", "dice", 1 / 3, 'a "note"'))
    write_scores(tmp_path / "scores.csv", scores)
    assert read_scores(tmp_path / "scores.csv") == scores
    write_scores(tmp_path / "none.csv", [])
    assert read_scores(tmp_path / "none.csv") == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["none.csv", "scores.csv"]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "first line"),
        ("case_id,structure\n", "first line"),
        ("case_id,structure,metric,value,note\na,shaft,dice,0.5\n", "line 2"),
        ("case_id,structure,metric,value,note\na,shaft,dice,half,\n", "line 2"),
        ("case_id,structure,metric,value,note\na,shaft,dice,nan,\n", "value nan"),
        ("case_id,structure,metric,value,note\na,s,dice,1,\na,s,dice,1,\n", "comes twice"),
    ],
)
def test_damaged_scores_are_refused(tmp_path, text, finding):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(InvalidData, match=finding):
        read_scores(path)


def test_missing_scores_are_refused(tmp_path):
    with pytest.raises(InvalidData, match="cannot be read"):
        read_scores(tmp_path / "scores.csv")


def test_paired_differences_case_by_case():
    better = two_cases()
    worse = [s._replace(value=s.value - 0.25) if s.metric == "dice" else s for s in better]
    found = paired(better, worse)
    places = [(d.case_id, d.structure) for d in found.differences]
    assert places == [("a", "shaft"), ("b", "shaft"), ("a", "wrist")]
    assert found.mean == pytest.approx(0.25)
    assert found.sd == pytest.approx(0, abs=1e-12)
    assert (found.higher, found.lower) == (3, 0)
    assert (paired(worse, better).higher, paired(worse, better).lower) == (0, 3)


def test_only_the_same_cases_can_be_paired():
    scores = two_cases()
    with pytest.raises(UsageError, match="same cases"):
        paired(scores, [s for s in scores if s.case_id == "a"])
    with pytest.raises(UsageError, match="hd95_mm"):
        paired(scores, scores, "hd95_mm")


def test_gap_closed_has_no_value_without_a_gap():
    assert gap_closed(method=0.5, noisy=0.5, upper=1.0) == 0
    assert gap_closed(method=0.25, noisy=0.5, upper=1.0) == -0.5
    assert gap_closed(method=0.9, noisy=0.9, upper=0.8) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_spread_is_the_sample_deviation(numbers):
    found = Spread.of([*numbers, None])
    assert found.n == len(numbers)
    assert found.mean == pytest.approx(np.mean(numbers))
    assert found.sd == pytest.approx(np.std(numbers, ddof=1), abs=1e-12)


def test_spread_of_one_and_of_none():
    assert Spread.of([0.5]) == (0.5, None, 1)
    assert Spread.of([None]) == (None, None, 0)
    assert Spread.of([1.0, 2.0]).sd == pytest.approx(sqrt(0.5))


def test_definitions_are_printed_with_the_unit():
    assert definition("hd95_mm").startswith("HD95 [mm] = 95th percentile")
    assert definition("tp") == ""
    assert set(DEFINITIONS) == {"dice", "jaccard", "hd95", "assd"}
