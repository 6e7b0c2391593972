"""The demo, with fewer and smaller scenes."""

from noisylabels_cli import demo


def test_the_demo_in_small(noisylabels, here, monkeypatch):
    """All that it does with 9 scenes of 32 x 40 and one epoch; a second call makes nothing again."""
    monkeypatch.setattr(demo, "CASES", 9)
    monkeypatch.setattr(demo, "SIZE", (32, 40))
    small = {"epochs": 1, "net_params": {"width": 4, "depth": 2}}
    monkeypatch.setattr(demo, "TRAINING", {**demo.TRAINING, **small})
    answer = noisylabels("demo", "--out", "d")
    assert answer.code == 0, answer.err
    *table, last = answer.out.splitlines()
    assert last == "d/report.html", "its path is the last line"
    for word in ("baseline", "jcas", "clean", "shaft", "wrist", "clasper", "mean", "Dice", "Jaccard"):
        assert word in "\n".join(table)
    assert (here / "d" / "report.html").read_text().lower().startswith("<!doctype html>")
    models = {p: p.stat().st_mtime_ns for p in here.rglob("model.safetensors")}
    assert len(models) == 3
    again = noisylabels("demo", "--out", "d")
    assert (again.code, again.out) == (0, answer.out)
    assert {p: p.stat().st_mtime_ns for p in here.rglob("model.safetensors")} == models
    (here / "d" / "runs" / "jcas-noisy-0" / "scores.csv").unlink()
    assert noisylabels("demo", "--out", "d").out == answer.out, "what is missing is made again, alike"
