import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_runs import write_run

from noisylabels.case import Case
from noisylabels.corruptions import asymmetric, dilate
from noisylabels.draws import Draws
from noisylabels.generate import noisy_dataset
from noisylabels.metrics.noise import PooledNoise
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step, Target
from noisylabels.reports import html_noise
from noisylabels.reports.figures import Line, histogram, line_chart, ticks
from noisylabels.reports.groups import WARNED, group_runs
from noisylabels.reports.html import write_report
from noisylabels.reports.html_pieces import styles
from noisylabels.reports.pictures import difference_picture, image_picture, outline_picture, slice_to_show
from noisylabels.store.dataset import write_dataset
from noisylabels.store.index import DatasetInfo
from noisylabels.store.runs import RunRecord

VOID = {"meta", "br", "img", "link", "input", "hr"}
CLASSES = ("background", "shaft & tip", "wrist")


class Checker(HTMLParser):
    """Refuses tags that do not close in order, equal ids, dead references, pictures without words."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.references, self.tags = [], set(), set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        attrs = dict(attrs)
        if "id" in attrs:
            assert attrs["id"] not in self.ids
            self.ids.add(attrs["id"])
        if tag == "use":
            self.references.add(attrs["href"].removeprefix("#"))
        if tag == "svg":
            assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"
        if tag == "image":
            assert attrs["href"].startswith("data:image/")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(path):
    text = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert checker.references <= checker.ids
    assert "script" not in checker.tags
    assert not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r"data:image/\w+;base64,[^\"]+", "", text))
    return text


def make_cases(count, shape):
    for i in range(count):
        draws = Draws(0, "report", str(i))
        labels = np.zeros(shape, np.uint8)
        top, left = (int(v) for v in draws.integers(2, 4, 12))
        labels[..., top : top + 14, left : left + 10] = 1
        labels[..., top + 14 : top + 24, left : left + 10] = 2
        image = (60 * labels + draws.integers(shape, 0, 50)).astype(np.uint8)
        image = np.stack([image] * 3) if len(shape) == 2 else image.astype(np.int16)[None] * 9 - 200
        yield Case(case_id=f"case_{i}", labels=labels, classes=CLASSES, image=image,
                   spacing=(2.0, 1.0, 1.0) if len(shape) == 3 else None)  # fmt: skip


def build(folder, shape, mode, params):
    flat = len(shape) == 2
    info = DatasetInfo(
        name="fake",
        classes=CLASSES,
        channels=("red", "green", "blue") if flat else ("CT",),
        ending=".png" if flat else ".nii.gz",
    )
    parts = {
        "train": ["case_0", "case_1", "case_2"],
        "val": ["case_3"],
        "test": [f"case_{i}" for i in range(4, 8)],
    }
    clean = write_dataset(make_cases(8, shape), info, folder / "clean", {"default": parts})
    step = Step.of(mode.__name__.rpartition(".")[2], mode, params)
    return noisy_dataset(clean, Recipe(seed=0, steps=(step,)), folder / "noisy")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    return build(tmp_path_factory.mktemp("flat"), (48, 40), dilate, dilate.Params(radius_px=(3, 3)))


@pytest.fixture(scope="module")
def runs(noisy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    kinds = [("baseline", "noisy", 5.0), ("jcas", "noisy", 2.0), ("baseline", "clean", 1.0)]
    return [
        RunRecord.open(
            write_run(folder / f"{method}-{labels}-{seed}", noisy, method, labels, seed, error, epochs=6)
        )
        for method, labels, error in kinds
        for seed in (0, 1)
    ]


def test_the_whole_page(noisy, runs, tmp_path):
    path = write_report(
        tmp_path / "report.html", noisy, runs, "A <title> & more", ["noisylabels corrupt --seed 0"]
    )
    text = checked(path)
    assert path.stat().st_size < 600_000
    assert "A &lt;title&gt; &amp; more" in text
    assert "shaft &amp; tip" in text
    headings = ["Results", "Measured noise", "Gallery", "Training", "Learned noise", "Best and worst cases"]
    for heading in [*headings, "How it was made"]:
        assert f"<h2>{heading}</h2>" in text
    for digest in (noisy.digest, noisy.clean.digest, noisy.recipe.digest):
        assert digest in text
    for said in (
        "noisylabels corrupt --seed 0",
        "Rule <b>present",
        "Dice = 2 TP",
        "scheme: dark",
        "of the gap",
    ):
        assert said in text
    assert 'mode = "dilate"' in text.replace("&quot;", '"')


def test_the_numbers_on_the_page_are_the_measured_ones(noisy, runs, tmp_path):
    text = checked(write_report(tmp_path / "report.html", noisy, runs))
    noise = PooledNoise.from_dict(noisy.measured)
    assert f"{100 * noise.wrong_share:.1f} %" in text
    assert f">{noise.transition[0][1]:.3f}</td>" in text


def test_a_page_explains_the_mark_of_a_row(noisy, runs, tmp_path):
    chosen = replace(runs[2], info={**runs[2].info, "select": "best-test"})
    text = checked(write_report(tmp_path / "report.html", noisy, [runs[0], chosen]))
    assert WARNED in text
    assert "†" not in checked(write_report(tmp_path / "report.html", noisy, runs))


def test_every_method_has_a_style_of_its_own_that_the_sheet_knows(noisy, runs, tmp_path):
    names = [f"m{i:02}" for i in range(10)]
    more = [replace(runs[2], info={**runs[2].info, "method": name}) for name in names]
    found = list(styles(group_runs([*runs, *more])).values())
    assert len(set(found)) == len(found) == 13
    sheet = (Path(html_noise.__file__).parent / "report.css").read_text(encoding="utf-8")
    colours = {}
    for kind in {style.split()[0] for style in found}:
        name = re.search(rf"\.{kind} {{ stroke: var\(--(\w+)\); fill: var\(--\1\); }}", sheet)[1]
        colours[kind] = tuple(re.findall(rf"--{name}: (#\w+);", sheet))
    assert {len(pair) for pair in colours.values()} == {2}  # light and dark
    assert len(set(colours.values())) == len(colours) == 8
    text = checked(write_report(tmp_path / "report.html", noisy, [*runs, *more]))
    for pattern in ('<polyline class="line s1 again"', '<line class="s1 again"'):
        assert pattern in text
    for rule in (".chart .again.line", ".legend line.again", ".legend line.upper"):
        assert re.search(rf"{re.escape(rule)}[^{{]*{{ stroke-dasharray", sheet)


def test_equal_input_gives_an_equal_page(noisy, runs, tmp_path):
    one, two = (
        write_report(tmp_path / name, noisy, order) for name, order in (("1", runs), ("2", runs[::-1]))
    )
    first, second = (re.sub(r"<h3>(Runs|Commands).*", "", p.read_text(), flags=re.DOTALL) for p in (one, two))
    assert first == second


def test_a_page_without_runs_and_a_page_without_data(noisy, runs, tmp_path):
    text = checked(write_report(tmp_path / "noise.html", noisy, []))
    assert "<h2>Gallery</h2>" in text
    assert "<h2>Results</h2>" not in text
    text = checked(write_report(tmp_path / "runs.html", None, runs))
    assert "<h2>Results</h2>" in text
    assert "<h2>Gallery</h2>" not in text
    text = checked(write_report(tmp_path / "clean.html", noisy.clean, runs))
    assert "<h2>Best and worst cases</h2>" in text
    assert "<h2>Measured noise</h2>" not in text
    assert "Nothing to report" in checked(write_report(tmp_path / "none.html", None, []))


def test_volumes_show_the_slice_with_the_most_wrong_pixels(tmp_path):
    noisy = build(tmp_path, (3, 40, 40), dilate, dilate.Params(radius_px=(2, 2)))
    run = RunRecord.open(write_run(tmp_path / "run", noisy, epochs=2))
    text = checked(write_report(tmp_path / "report.html", noisy, [run]))
    assert "image, slice " in text
    assert "mm</b>" in text
    clean, other = np.zeros((2, 3, 4, 4), np.uint8)
    other[2, 1, 1] = 1
    assert slice_to_show(clean, other) == 2


def test_a_mode_that_states_its_matrix_has_it_shown_beside_the_measured_one(tmp_path, monkeypatch):
    written = np.array([[1, 0, 0], [0, 0.6, 0.4], [0, 0.4, 0.6]])
    monkeypatch.setattr(asymmetric, "requested_transition", lambda case, params: written, raising=False)
    noisy = build(tmp_path, (48, 40), asymmetric, asymmetric.Params(unit="pixel", background=False))
    assert "Requested" in checked(write_report(tmp_path / "report.html", noisy, []))
    half = Recipe(seed=0, steps=noisy.recipe.steps, selection=Selection(0.5))
    found = html_noise.requested_transition(half, CLASSES)
    assert found[1] == pytest.approx([0, 0.8, 0.2])
    (flips,) = noisy.recipe.steps
    choice = OneOf((Option(3, flips), Option(1, Step.nothing())))
    found = html_noise.requested_transition(replace(half, steps=(choice,)), CLASSES)
    assert found[1] == pytest.approx([0, 0.85, 0.15])
    for other in (
        {"steps": (replace(choice, per="object"),)},
        {"selection": Selection(count=3)},
        {"selection": Selection(objects=0.5)},
        {"target": Target("dice", (0.5, 0.5))},
    ):
        assert html_noise.requested_transition(replace(half, **other), CLASSES) is None


def test_a_mode_without_a_matrix_requests_none(noisy):
    assert html_noise.requested_transition(noisy.recipe, noisy.info.classes) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (700, 300)])
def test_pictures_of_any_shape(shape):
    labels = np.ones(shape, np.uint8)
    labels[0, 0] = 255
    case = Case(
        case_id="a", labels=labels, classes=("background", "all"), image=np.zeros((1, *shape), np.float32)
    )
    for address in (
        image_picture(case),
        outline_picture(labels, "clean"),
        difference_picture(labels, labels * 0),
    ):
        assert address.startswith("data:image/")


def test_differences_have_their_colours():
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    address = difference_picture(
        np.array([[0, 1, 1, 1, 255]], np.uint8), np.array([[1, 0, 2, 1, 0]], np.uint8)
    )
    picture = np.asarray(Image.open(BytesIO(b64decode(address.partition(",")[2]))))
    step = picture.shape[1] // 5
    assert picture[0, step // 2 :: step].tolist() == [1, 2, 3, 0, 0]


def test_charts_are_well_formed_and_stay_on_their_sheet():
    points = [(float(x), (-1.0) ** x * x) for x in range(1000)]
    chart = line_chart([Line(points, "s1"), Line([(3, 4)], "s2")], "epoch", "a < b", "alt & text")
    svg = ElementTree.fromstring(chart)
    pairs = [tuple(map(float, p.split(","))) for p in svg.find("polyline").get("points").split()]
    assert len(pairs) < 200
    assert all(0 <= x <= 360 and 0 <= y <= 240 for x, y in pairs)
    assert (
        line_chart([], "x", "y", "alt")
        == line_chart([Line([(0, float("nan"))], "s1")], "x", "y", "alt")
        == ""
    )
    bars = ElementTree.fromstring(histogram([0.5, 0.99, 1.0, 0.1], 0.4, 1.0, "Dice", "alt")).findall("rect")
    assert len(bars) == 3
    assert histogram([], 0, 1, "Dice", "alt") == ""


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-3, -3), (0.1, 0.10001), (-5, 1e6), (0.0, 1.0)])
def test_ticks_enclose_their_range(low, high):
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 2 <= len(found) <= 8


def test_the_tint_tells_a_flipped_class_whose_outline_is_right():
    labels = np.zeros((40, 40), np.uint8)
    labels[5:35, 5:35] = 1
    assert outline_picture(labels, "clean") != outline_picture(labels * 2, "clean")
