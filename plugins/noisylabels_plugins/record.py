"""What a run folder says about itself: what was trained, on what, where and by which code."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import noisylabels
from noisylabels.errors import Mismatch
from noisylabels.store.dataset import Dataset
from noisylabels.store.files import write_bytes
from noisylabels.store.identity import cases_digest, split_digest
from noisylabels.store.links import relative

if TYPE_CHECKING:
    from noisylabels_plugins.run import Run

_NOT_RECORDED = ("--out", "--resume", "--quiet", "--debug")
_PLACES = re.compile(r"--(data|cache|trusted|.*-weights)")
"""Flags that may name a file or folder."""


def write_record(run: "Run", folder: Path, words: Sequence[str] = ()) -> None:
    """Write ``run.json``, with the places of dataset, cache and list of trusted cases relative to the folder.

    Args:
        run: what is trained.
        folder: where.
        words: what was typed after ``noisylabels train``, if it was.
    """
    if not run.group.first:
        return
    values = facts(run) | {"data": relative(Path(run.spec.data), folder)}
    if run.spec.cache not in (None, "auto"):
        values["cache"] = relative(Path(run.spec.cache), folder)
    if Path(run.spec.trusted).is_file():
        values["trusted"] = relative(Path(run.spec.trusted), folder)
    if words:
        values["command"] = command_line(words, folder)
    write_bytes(folder / "run.json", json.dumps(values, indent=2).encode() + b"\n")


def refuse_other_data(folder: Path, dataset: Dataset, trusted: Collection[str] | None = None) -> None:
    """Refuse to go on with a run, or to score it, on data that are not those it was trained on.

    Args:
        folder: of the run.
        dataset: as it is now.
        trusted: the cases that are trusted now, if that matters.

    Raises:
        Mismatch: images, labels, split or trusted cases are others.
    """
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for name, now in (("data_digest", dataset.digest), ("clean_digest", dataset.clean.digest)):
        then = record.get(name, now)
        if then != now:
            raise Mismatch(
                f"{folder} was trained on data with the digest {then[:12]}, but {dataset.path} has {now[:12]}; put the "
                "right data back, or start a new run."
            )
    if record.get("split_digest", now := split_digest(dataset)) != now:
        raise Mismatch(
            f"The split of {dataset.clean.path} is not the one that {folder} was trained with; put it back, or start a "
            "new run."
        )
    if trusted is not None and record.get("trusted_cases", sorted(trusted)) != sorted(trusted):
        raise Mismatch(
            f"The trusted cases are {len(trusted)} now and not those {len(record['trusted_cases'])} that {folder} "
            "began with; put the list back, or start a new run."
        )


def facts(run: "Run") -> dict[str, Any]:
    """What ``run.json`` holds beside the command."""
    dataset, method = run.dataset, run.method
    labels = run.spec.labels if dataset.noisy else "clean"
    noise = dataset.recipe.text if dataset.recipe and labels == "noisy" else ""
    nets = method.modules()
    return {
        **asdict(run.spec),
        "labels": labels,
        "noise": noise,
        "dataset": dataset.clean.info.name,
        "data_digest": dataset.digest,
        "clean_digest": dataset.clean.digest,
        "cases_digest": cases_digest(dataset),
        "split_digest": split_digest(dataset),
        "trusted_cases": sorted(run.data.trusted),
        "sees": sees(run),
        "weights": sum(p.numel() for module in nets.values() for p in module.parameters()),
        **_sources(nets),
        "device": torch.cuda.get_device_name() if run.device.type == "cuda" else "cpu",
        "environment": environment(run),
        "versions": {"noisylabels": version(noisylabels.__name__), "torch": torch.__version__},
        "commit": commit(),
    }


def sees(run: "Run") -> dict[str, Any]:
    """What a run knows of its data, as far as predicting without them needs it."""
    info, data = run.dataset.info, run.data
    return {
        "classes": list(info.classes),
        "channels": list(info.channels),
        "shape": list(run.task.shape),
        "class_counts": list(run.task.class_counts),
        "mean": data.mean.tolist(),
        "sd": data.sd.tolist(),
    }


def environment(run: "Run") -> dict[str, Any]:
    """Where it was trained."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cuda": torch.version.cuda if run.device.type == "cuda" else None,
        "precision": run.place.precision.name,
        "processes": run.group.size,
        "threads": torch.get_num_threads(),
    }


def commit() -> str | None:
    """The git commit that this code was checked out at, with a + if it was changed since; None for a release."""
    root = Path(noisylabels.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        named = _git(root, "rev-parse", "HEAD")
        return named + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def command_line(words: Sequence[str], folder: Path) -> str:
    """A command as typed, without what says where the folder is, and with paths seen from the folder.

    >>> command_line(["jcas", "--cache=/d", "--out", "/runs/j", "--epochs", "3"], Path("/runs/j"))
    'noisylabels train jcas --cache=../../d --epochs 3'
    """
    kept, skip, path = ["noisylabels", "train"], False, False
    for word in words:
        name, _, value = word.partition("=")
        if skip or name in _NOT_RECORDED:
            skip = not skip and name == "--out" and not value
            continue
        found = value if value and name.startswith("--") else word
        if Path(found).is_absolute() or ((path or _PLACES.fullmatch(name)) and Path(found).exists()):
            word = word.removesuffix(found) + relative(Path(found), folder)
        path = _PLACES.fullmatch(word) is not None
        kept.append(word)
    return " ".join(kept)


def _sources(nets: dict[str, torch.nn.Module]) -> dict[str, Any]:
    found = {name: net.encoder_source for name, net in nets.items() if hasattr(net, "encoder_source")}
    return {"encoder_source": found} if found else {}


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", os.fspath(root), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
