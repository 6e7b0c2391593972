"""Train a method on noisy labels, or on the clean ones for the upper bound."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noisylabels.errors import InvalidData, UsageError
from noisylabels_cli import flags
from noisylabels_cli.embedded import embedded_noisy
from noisylabels_cli.extras import need
from noisylabels_cli.say import columns, data, progress, say

if TYPE_CHECKING:
    from noisylabels_plugins.run import Run, RunSpec


def _choose(typed: Mapping[str, Any]) -> tuple[str, type] | None:
    if not typed.get("method"):
        return None
    need("train", "torch", "safetensors")
    from noisylabels_plugins.catalogue import METHODS

    return f"Flags of {typed['method']}", METHODS.load(typed["method"]).Params


@click.command(cls=flags.FlagCommand, choose=_choose)
@click.argument("method", required=False)
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Dataset, noisy or clean.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: ./runs/METHOD-SEED]")
@click.option(
    "--labels",
    type=click.Choice(["noisy", "clean"]),
    default="noisy",
    show_default=True,
    help="The dataset's own labels, or its clean parent's (upper bound).",
)
@click.option("--net", default="unet", show_default=True, help="Network.")
@click.option("--width", type=click.IntRange(1), help="Channels of the network at full resolution.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Another seed gives other weights and order."
)
@click.option("--epochs", type=int, default=40, show_default=True, help="Passes over the training cases.")
@click.option("--batch-size", type=int, default=4, show_default=True, help="Cases in one update.")
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "poly", "constant"]),
    default="cosine",
    show_default=True,
    help="Learning rate over the training.",
)
@click.option(
    "--augment",
    default="flip",
    show_default=True,
    metavar="A,B,...",
    help="Any of flip, intensity, shift; none for nothing.",
)
@click.option(
    "--validate-every",
    type=int,
    default=5,
    show_default=True,
    metavar="N",
    help="Epochs between two looks at the clean validation cases; 0 for none.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, by its own settings.")
def command(
    method: str | None, folder: Path | None, out: Path | None, resume: bool, device: str, **given: Any
) -> None:
    """Train METHOD on the labels of a dataset.

    Without --data the embedded phantoms with asymmetric noise serve. Ctrl-C leaves a run that --resume takes up
    where it stopped. Without a METHOD, lists those that there are. Prints the run folder.

    See the flags of a method with: noisylabels train jcas --help
    """
    need("train", "torch", "safetensors")
    from noisylabels_plugins.catalogue import METHODS

    if method is None and not resume:
        rows = [(entry.name, entry.origin, entry.summary) for entry in METHODS.describe()]
        data(columns(rows, ("method", "origin", "summary")))
        return
    from noisylabels_plugins.run import Run, choose_device, read_spec

    if resume and out is None:
        raise UsageError("Say which run to go on with: --out FOLDER.")
    out = out or Path("runs") / f"{method}-{given['seed']}"
    if resume:
        run = Run(read_spec(out), choose_device(device))
        if _finished(out, run):
            say(f"{out} is already trained to the end.")
            data(str(out))
            return
        run.load_state(out)
    else:
        spec = _spec(str(method), folder, given)
        refuse_existing(out)
        run = Run(spec, choose_device(device))
    train(run, out)
    data(str(out))


def refuse_existing(out: Path) -> None:
    """Refuse to write a run where something is."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is already there; choose another --out, or --resume the run in it.")


def train(run: "Run", out: Path) -> None:
    """Train a run in its folder, showing how far it is; an interruption leaves it resumable.

    Raises:
        KeyboardInterrupt: it was interrupted.
        NoisyLabelsError: a loss was not finite.
    """
    from noisylabels_plugins.run import write_record

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made a folder ({error.strerror}).") from error
    write_record(run, out)
    name = f"{run.spec.method}, {run.spec.labels} labels, seed {run.spec.seed}"
    with _stop_on_signal() as stopped, progress(f"training {name}") as advance:
        for record in run.train(out, lambda: bool(stopped)):
            advance(record["step"], run.steps, f"loss {record['loss']:.3f}")
    if stopped:
        say(
            f"Stopped after {run.step} of {run.steps} updates; go on with: noisylabels train --resume --out {out}"
        )
        raise KeyboardInterrupt


def _spec(method: str, folder: Path | None, given: dict[str, Any]) -> "RunSpec":
    from noisylabels.params import plain
    from noisylabels_plugins.catalogue import METHODS
    from noisylabels_plugins.run import RunSpec

    own = {
        k: given.pop(k)
        for k in ("labels", "net", "seed", "epochs", "batch_size", "schedule", "validate_every")
    }
    width, augment = given.pop("width"), given.pop("augment")
    kind = METHODS.load(method).Params
    params, default = plain(flags.read(kind, given, f"method '{method}'")), plain(kind())
    return RunSpec(
        method=method,
        data=str(folder or embedded_noisy().path),
        params={name: value for name, value in params.items() if value != default.get(name)},
        net_params={} if width is None else {"width": width},
        augment=() if augment == "none" else tuple(augment.split(",")),
        **own,
    )


def _finished(out: Path, run: "Run") -> bool:
    if not (out / "state.pt").exists():
        raise InvalidData(f"{out} has no state to go on from; remove it and start the run anew.")
    if not (out / "model.safetensors").exists() or not (out / "log.jsonl").exists():
        return False
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return bool(lines) and bool(json.loads(lines[-1])["step"] == run.steps)


@contextmanager
def _stop_on_signal() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of breaking an update in two; a second one breaks it all the same."""
    got: list[int] = []

    def handle(number: int, frame: object) -> None:
        if got:
            raise KeyboardInterrupt
        got.append(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield got
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
