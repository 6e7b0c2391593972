"""The two files that hold a run's numbers: its state, for going on, and its networks, for predicting."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from noisylabels.errors import InvalidData, NoisyLabelsError
from noisylabels.store.files import disk_errors
from noisylabels.store.runs import ABOUT, MODEL, about_model, forget_scores
from noisylabels_plugins.selection import weights_of

if TYPE_CHECKING:
    from noisylabels_plugins.run import Run

STATE = "state.pt"


def save_state(run: "Run", folder: Path) -> None:
    """Write all that going on bit for bit needs: method, optimisers, where training is, and the best weights so far."""
    state = {
        "step": run.step,
        "sums": run.epoch.sums,
        "method": run.method.state_dict(),
        "updates": run.method.updates.state_dict(),
        "best": run.selection.best,
        "of": names(run),
    }
    temporary = folder / f".{STATE}"
    with _complete(temporary, folder / STATE):
        torch.save(state, temporary)


def load_state(run: "Run", folder: Path) -> None:
    """Go back to what :func:`save_state` wrote.

    Raises:
        InvalidData: it is damaged, or of another method, network or number of classes.
    """
    path = folder / STATE
    try:
        state = torch.load(path, map_location=run.device, weights_only=True)
        _compare(run, path, state["of"])
        run.method.load_state_dict(state["method"])
        run.method.updates.load_state_dict(state["updates"])
        run.step, run.epoch.sums, run.selection.best = state["step"], state["sums"], state["best"]
        kept = run.selection.best.get("weights", {})  # not on the GPU
        kept.update({name: weight.cpu() for name, weight in kept.items()})
    except NoisyLabelsError:
        raise
    except Exception as error:  # torch and pickle raise a dozen kinds for one finding
        raise InvalidData(f"{path} cannot be read ({type(error).__name__}); start the run anew.") from error


def save_model(run: "Run", folder: Path) -> None:
    """Write the networks' weights: the last ones, or those that were selected."""
    best = run.selection.best
    weights = best["weights"] if best else weights_of(run.method.modules())
    tensors = {name: value.detach().clone().contiguous() for name, value in weights.items()}
    about = {
        "step": str(best["step"] if best else run.step),
        "done": str(run.step),
        "steps": str(run.steps),
        "select": run.spec.select,
    }
    about |= names(run)
    if done(folder) != run.step:
        forget_scores(folder)  # before, so that a kill in between leaves no scores of other weights
    temporary = folder / f".{MODEL}"
    with _complete(temporary, folder / MODEL):
        save_file(
            tensors, temporary, metadata={ABOUT: json.dumps(about)}
        )  # of several the order is by chance


def done(folder: Path) -> int | None:
    """Updates that had been made when the model of a folder was written; None where there is none to read."""
    about = about_model(folder)
    done = about.get("done", about.get("step"))
    return None if done is None else int(done)


@contextmanager
def _complete(temporary: Path, path: Path) -> Iterator[None]:
    """Have a file written elsewhere before it takes its place; what the disk refuses is one sentence."""
    try:
        with disk_errors(path):
            yield
            temporary.replace(path)
    except (RuntimeError, SafetensorError) as error:  # both writers hide the OSError
        room, size = (
            shutil.disk_usage(path.parent).free,
            temporary.stat().st_size if temporary.exists() else 0,
        )
        raise NoisyLabelsError(
            f"Cannot write {path}: only {size / 2**20:.0f} MiB of it could be written, with {room / 2**20:.0f} MiB "
            "free; make room and go on with --resume."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_model(run: "Run", folder: Path) -> None:
    """Read the networks' weights.

    Raises:
        InvalidData: there is no model yet, it is damaged, or of another method, network or number of classes.
    """
    path = folder / MODEL
    if not path.exists():
        raise InvalidData(
            f"{folder} holds no trained model yet; let noisylabels train finish, --resume it, or start it "
            "anew if it was killed in its first epoch."
        )
    try:
        with safe_open(path, "pt") as file:
            _compare(run, path, json.loads((file.metadata() or {}).get(ABOUT, "{}")))
        tensors = load_file(path, device=str(run.device))
        for name, module in run.method.modules().items():
            prefix = f"{name}/"
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
    except NoisyLabelsError:
        raise
    except Exception as error:  # safetensors and torch raise a dozen kinds for one finding
        raise InvalidData(f"{path} is damaged or belongs to another model.") from error


def names(run: "Run") -> dict[str, str]:
    """What a checkpoint must agree with a run in."""
    return {"method": run.spec.method, "net": run.spec.net, "classes": ",".join(run.task.classes)}


def _compare(run: "Run", path: Path, there: dict[str, str]) -> None:
    for name, own in names(run).items():
        found = there.get(name, own)
        if found != own:
            raise InvalidData(f"{path} belongs to another model: its {name} is {found}, the run's {own}.")
