"""Run folders that look like real ones, without training: predictions are spoiled reference labels."""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import grey_dilation, grey_erosion

from noisylabels.draws import Draws
from noisylabels.metrics.noise import measure
from noisylabels.scoring import score_case, write_scores
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import write_labels


def write_run(
    path: Path,
    noisy: Dataset,
    method: str = "jcas",
    labels: str = "noisy",
    seed: int = 0,
    error: float = 3.0,
    epochs: int = 30,
    params: dict | None = None,
    part: str = "test",
) -> Path:
    """A finished run; ``error`` is how many pixels its predictions are off."""
    path.mkdir(parents=True)
    clean = noisy.clean
    info = {
        "method": method,
        "params": params or {"lr": 0.001},
        "net": "unet",
        "data": noisy.path.name,
        "data_digest": (noisy if labels == "noisy" else clean).digest,
        "labels": labels,
        "dataset": clean.info.name,
        "noise": noisy.recipe.text if labels == "noisy" and noisy.recipe else "",
        "seed": seed,
        "epochs": epochs,
        "command": f"noisylabels train {method} --data {noisy.path.name} --seed {seed} --out {path.name}",
    }
    (path / "run.json").write_text(json.dumps(info, indent=2))
    draws = Draws(seed, "fake run", method, labels)
    scores = []
    (path / "predictions").mkdir()
    for case_id in clean.ids(part):
        case = clean.load(case_id, image=False)
        predicted = spoiled(case.labels, error, draws.at(case_id))
        write_labels(path / "predictions" / f"{case_id}{clean.info.ending}", predicted, case.spacing)
        scores += score_case(case_id, predicted, case.labels, clean.info.structures, case.spacing)
    write_scores(path / "scores.csv", scores)
    lines = log_lines(noisy, draws, epochs, error, method == "jcas" and labels == "noisy")
    (path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def spoiled(labels, error, draws):
    """Labels shifted, and grown or shrunk, by up to ``error`` pixels."""
    shift = np.round(draws.at("shift").uniform(labels.ndim, -error, error) / 2).astype(int)
    size = 1 + int(draws.at("size").uniform(1, 0, error)[0])
    change = grey_dilation if draws.at("kind").uniform(1)[0] < 0.5 else grey_erosion
    return np.roll(change(labels, size=size), tuple(shift), axis=tuple(range(labels.ndim)))


def log_lines(noisy, draws, epochs, error, with_matrix):
    """Falling loss, rising validation Dice, a transition matrix that approaches the measured one."""
    wobble = draws.at("log").normal((epochs, 2), sd=0.012)
    case_id = noisy.ids()[0]
    target = np.array(
        measure(noisy.clean.load(case_id, image=False).labels, noisy.load(case_id, image=False).labels,
                noisy.info.classes).transitions, dtype=float)  # fmt: skip
    target = (target + 1) / (target + 1).sum(axis=1, keepdims=True)
    for epoch in range(epochs):
        done = 1 - 1 / (1 + epoch / 4)
        line = {
            "epoch": epoch,
            "step": (epoch + 1) * 10,
            "loss": 1.4 - 1.1 * done + abs(float(wobble[epoch, 0])) * 4,
            "seconds": 1.5,
            "lr": 0.001 * (1 - epoch / epochs),
        }
        if with_matrix:
            line["t_class"] = ((1 - done) * np.full_like(target, 1 / len(target)) + done * target).tolist()
            line["t_pair"] = [[0.85, 0.15], [0.2, 0.8]]
        if epoch % 2 == 1 or epoch == epochs - 1:
            mean = max(0.05, (0.95 - 0.05 * error) * done + float(wobble[epoch, 1]))
            line["val"] = {"dice": dict.fromkeys(noisy.info.structures, mean), "mean_dice": mean}
        yield line
