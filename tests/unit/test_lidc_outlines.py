"""LIDC: the annotation files, the pixels inside an outline, and which marks are one nodule."""

import numpy as np
import pytest

from noisylabels.adapters._lidc_groups import group_marks
from noisylabels.adapters._lidc_outline import interior, pixels_of
from noisylabels.adapters._lidc_xml import glance, read_reading
from noisylabels.errors import InvalidData
from noisylabels.phantoms.outlines import enclosed, outlines

DRAWN = {
    "box": """
        .....
        .###.
        .#o#.
        .###.
        .....""",
    "diamond": """
        ..#..
        .#o#.
        #ooo#
        .#o#.
        ..#..""",
}


def chain_of(picture):
    """The '#' of a picture in a closed order, and its 'o' as a mask."""
    rows = picture.split()
    inside = np.array([[c == "o" for c in row] for row in rows])
    (chain,) = outlines(inside)
    assert {tuple(p) for p in np.argwhere([[c == "#" for c in row] for row in rows])} >= set(chain)
    return np.array(chain), inside


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("change", ["as it is", "backwards", "open", "from the middle", "twice"])
def test_the_nodule_is_inside_its_outline_and_without_it(name, change):
    chain, inside = chain_of(DRAWN[name])
    changed = {
        "as it is": chain,
        "backwards": chain[::-1],
        "open": chain[:-1],
        "from the middle": np.roll(chain[:-1], 3, axis=0),
        "twice": np.concatenate([chain, chain]),
    }[change]
    assert np.array_equal(interior(changed, inside.shape), inside)


def test_gaps_are_bridged_by_straight_lines():
    corners = np.array([(1, 1), (1, 7), (5, 7), (5, 1)])
    found = interior(corners, (8, 9))
    assert found[2:5, 2:7].all()
    assert found.sum() == 15


def test_a_spur_and_a_crossing_add_no_holes():
    square = [(y, 2) for y in range(2, 9)] + [(8, x) for x in range(3, 9)]
    square += [(y, 8) for y in range(7, 1, -1)] + [(2, x) for x in range(7, 2, -1)]
    whole = interior(np.array(square), (12, 12))
    assert whole.sum() == 25
    spur = np.array([(2, 2), (1, 1), (0, 0), (1, 1), *square])
    assert np.array_equal(interior(spur, (12, 12)), whole)
    overshot = np.array([*square, (3, 2), (4, 3), (4, 2)])  # goes on past its beginning
    found = interior(overshot, (12, 12))
    assert found.sum() == 24
    assert not found[4, 3]


def test_lines_and_points_enclose_nothing():
    for points in ([(2, 2)], [(2, 2), (2, 3)], [(2, 2), (2, 3), (2, 4), (2, 3)]):
        assert not interior(np.array(points), (6, 6)).any()


def test_any_drawn_shape_comes_back():
    from noisylabels.draws import Draws

    for number in range(40):
        shape = Draws(0, "shape", str(number)).uniform((24, 30)) < 0.55
        shape[[0, 1, -2, -1]] = shape[:, [0, 1, -2, -1]] = False
        for chain in outlines(shape):
            assert np.array_equal(interior(np.array(chain), shape.shape), enclosed([chain], shape.shape))


def test_holes_are_taken_out_and_parts_are_put_together():
    big, small, far = (np.zeros((20, 30), dtype=bool) for _ in range(3))
    big[3:14, 3:14], small[7:9, 7:9], far[4:6, 20:23] = True, True, True
    drawn = [(True, big), (False, small), (True, far)]
    (top, left), mask, hollow = pixels_of((kind, np.array(next(outlines(one)))) for kind, one in drawn)
    whole = np.zeros((20, 30), dtype=bool)
    whole[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    assert np.array_equal(whole, (big & ~small) | far)
    assert hollow == 0
    assert pixels_of([(True, np.array([(2, 2), (2, 3), (2, 4)]))])[2] == 1


def ring(z, y, x, radius=3):
    return np.array(
        [(z, y + d, x + s * (radius - abs(d))) for d in range(-radius, radius + 1) for s in (-1, 1)]
    )


def test_marks_that_come_near_are_one_nodule():
    marks = [ring(4, 20, 20), ring(5, 21, 20), ring(9, 60, 60), ring(6, 60, 60), ring(4, 29, 20)]
    assert group_marks(marks, 2.5) == [[0, 1, 4], [2], [3]]
    assert group_marks(marks, 3.0) == [[0, 1, 4], [2, 3]]
    assert group_marks([], 2.5) == []


def test_a_group_of_more_than_four_is_taken_apart_as_far_as_it_goes():
    marks = [ring(0, 20, 20)] * 3 + [ring(0, 28, 20)] * 3  # two px apart
    assert group_marks(marks, 2.5) == [[0, 1, 2], [3, 4, 5]]
    assert group_marks([ring(0, 20, 20)] * 6, 2.5) == [[0, 1, 2, 3, 4, 5]]


HEAD = (
    '<LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>1.2</SeriesInstanceUid>'
)
ROI = (
    "<roi><imageSOP_UID> 9.8 </imageSOP_UID><inclusion>TRUE</inclusion>"
    "<edgeMap><xCoord>3</xCoord><yCoord>4</yCoord></edgeMap></roi>"
)
FILE = (
    f"{HEAD}</ResponseHeader><readingSession><unblindedReadNodule><noduleID>a</noduleID>"
    f"<characteristics><subtlety>5</subtlety><x>1</x></characteristics>{ROI}</unblindedReadNodule>"
    "<nonNodule><imageSOP_UID>9</imageSOP_UID><locus><xCoord>1</xCoord></locus></nonNodule></readingSession>"
    "</LidcReadMessage>"
)


def written(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    return path


def test_what_a_file_says(tmp_path):
    path = written(tmp_path, FILE)
    assert glance(path) == ("ct", "1.2")
    found = read_reading(path)
    ((mark,),) = found.sessions
    assert (found.series_uid, mark.name, mark.rated, mark.ratings) == ("1.2", "a", True, {"subtlety": "5"})
    assert [(roi.sop_uid, roi.inclusion, roi.points) for roi in mark.rois] == [("9.8", True, ((4, 3),))]


def test_the_kind_is_told_by_the_first_element(tmp_path):
    assert glance(written(tmp_path, FILE.replace("LidcReadMessage", "IdriReadMessage")))[0] == "x-ray"
    assert glance(written(tmp_path, "<html/>"))[0] == "other"
    with pytest.raises(InvalidData, match="no annotations of a CT series"):
        read_reading(written(tmp_path, "<html/>"))


WRONG = {
    "cut": (FILE[:-200], "is damaged"),
    "text": ("no XML at all", "is damaged"),
    "number": (FILE.replace("<xCoord>3", "<xCoord>three"), "three"),
    "far": (FILE.replace("<xCoord>3", "<xCoord>30000000"), "a point at"),
    "huge": (FILE.replace("<xCoord>3", f"<xCoord>{'3' * 5000}"), "is not as LIDC's files are"),
    "no y": (FILE.replace("<yCoord>4</yCoord>", ""), "nothing"),
    "inclusion": (FILE.replace("TRUE", "MAYBE"), "MAYBE"),
    "no slice": (FILE.replace("imageSOP_UID> 9.8 </imageSOP_UID", "z> 9.8 </z"), "without its slice"),
    "no session": (f"{HEAD}</ResponseHeader></LidcReadMessage>", "no reading session"),
    "entity": (f'<!DOCTYPE x [<!ENTITY a "a">]>{FILE}', "declares a document type"),
    "outside": (f'<!DOCTYPE x SYSTEM "file:///etc/hostname">{FILE}', "declares a document type"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_faults_of_annotations_give_one_sentence(tmp_path, fault):
    text, finding = WRONG[fault]
    with pytest.raises(InvalidData, match=finding) as caught:
        read_reading(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_names_no_series(tmp_path):
    with pytest.raises(InvalidData, match="which series"):
        glance(written(tmp_path, FILE.replace("SeriesInstanceUid", "Other")))
