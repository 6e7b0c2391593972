"""Train a method on noisy labels, or on the clean ones for the upper bound."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels.store.locks import LOCK, alone
from noisylabels_cli import flags
from noisylabels_cli.embedded import embedded_noisy
from noisylabels_cli.extras import need
from noisylabels_cli.resumed import refuse_other_settings
from noisylabels_cli.say import columns, data, progress, say
from noisylabels_cli.signals import collected

if TYPE_CHECKING:
    from noisylabels_plugins.distributed import Group
    from noisylabels_plugins.run import Run, RunSpec


class Terminated(NoisyLabelsError):
    """SIGTERM, as from a scheduler whose time is up."""

    exit_code = 128 + signal.SIGTERM


class TrainCommand(flags.FlagCommand):
    """Remembers what was typed, for the record of the run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; of several processes only the first says what is wrong with them."""
        ctx.meta["typed"] = list(args)
        try:
            return super().parse_args(ctx, args)
        except (NoisyLabelsError, click.ClickException) as error:
            if int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0":
                time.sleep(2)  # torchrun ends all as soon as one has failed
                raise SystemExit(error.exit_code) from error
            raise


def _choose(typed: Mapping[str, Any]) -> list[flags.Group]:
    name, net, loss = str(typed.get("method") or ""), typed.get("net"), typed.get("loss")
    resumed = typed.get("out") if typed.get("resume") else None
    if not name and not resumed:
        return []
    need("train", "torch", "safetensors")
    from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
    from noisylabels_plugins.spec import Engine, read_spec

    if resumed:
        stored = read_spec(Path(resumed))
        if not name or name.startswith("-"):  # a flag stands where the method might
            name = stored.method
        net, loss = net or stored.net, loss or stored.loss
    method = METHODS.load(name)
    net = net or method.Method.DEFAULT_NET
    found = [
        flags.Group(f"Flags of {name}", method.Params),
        flags.Group(f"Flags of the network {net}", NETS.load(net).Params, "net"),
    ]
    if loss:
        found.append(flags.Group(f"Flags of the loss {loss}", LOSSES.load(loss).Params, "loss"))
    return [*found, flags.Group("How it is computed", Engine)]


@click.command(cls=TrainCommand, choose=_choose)
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
@click.option("--net", help="Network.  [default: the method's own, for most unet]")
@click.option("--loss", help="Loss, for methods without one of their own.  [default: ce]")
@click.option(
    "--trusted",
    metavar="manifest|N|FILE",
    help="Training cases known to have clean labels, for methods that need some: those that the noise left alone, "
    "N that get their clean labels, or a list of ids.",
)
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
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --out, whose settings need not be repeated."
)
def command(
    method: str | None, folder: Path | None, out: Path | None, resume: bool, device: str, **given: Any
) -> None:
    """Train METHOD on the labels of a dataset.

    Without --data the embedded phantoms with asymmetric noise serve. Ctrl-C leaves a run that --resume takes up
    where it stopped. Without a METHOD, lists those that there are. Prints the run folder.

    See the flags of a method, a network and a loss with: noisylabels train jcas --net deeplab --loss gce --help

    On several GPUs: torchrun --nproc-per-node 2 -m noisylabels_cli.main train jcas ...
    """
    need("train", "torch", "safetensors")
    from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS

    if method is None and not resume:
        for catalogue in (METHODS, NETS, LOSSES):
            rows = [(entry.name, entry.origin, entry.summary) for entry in catalogue.describe()]
            data(columns(rows, (catalogue.kind, "origin", "summary")) + ("" if catalogue is LOSSES else "\n"))
        return
    from noisylabels_plugins.distributed import joined

    if resume and out is None:
        raise UsageError("Say which run to go on with: --out FOLDER.")
    out = out or Path("runs") / f"{method}-{given['seed']}"
    context = click.get_current_context()
    with joined(device) as (group, place), ExitStack() as stack:
        if not group.first:
            context.obj.quiet = True
        with group.agreeing(), group.in_turn():
            spec = None if resume else _spec(str(method), folder, given)
            if resume:
                if group.first and (out / "run.json").exists():
                    stack.enter_context(alone(out))
                _refuse_other_settings(out, method, folder, given)
            elif group.first:
                refuse_existing(out)
        with group.agreeing():
            run, done = _prepared(spec, out, place, group)
        if done:
            say(f"{out} is already trained to the end.")
        else:
            train(run, out, context.meta["typed"])
        if group.first:
            data(str(out))


def _refuse_other_settings(out: Path, method: str | None, folder: Path | None, given: dict[str, Any]) -> None:
    from noisylabels_plugins.run import read_spec

    context = click.get_current_context()
    typed = {
        name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    stored = read_spec(out)
    # What was not typed is the run's, lest a value of the run be refused beside a default: 8 parts of a batch of 4.
    rest = given.keys() - typed - {"net", "loss", "augment", "trusted"}
    given |= {name: getattr(stored, name) for name in rest if hasattr(stored, name)}
    given |= {"net": given["net"] or stored.net, "loss": given["loss"] or stored.loss}
    asked = _spec(method or stored.method, folder or Path(stored.data), given)
    refuse_other_settings(out, stored, asked, {"data" if name == "folder" else name for name in typed})


def _prepared(spec: "RunSpec | None", out: Path, device: str, group: "Group") -> "tuple[Run, bool]":
    """The run of a specification, or that in the folder where it was stopped; and whether nothing is left to do."""
    from noisylabels_plugins.parts.weights import files_left_alone
    from noisylabels_plugins.record import refuse_other_data
    from noisylabels_plugins.run import Run, choose_device, finished, read_spec

    if spec is not None:
        return Run(spec, choose_device(device), group), False
    with files_left_alone():  # the state holds every weight
        run = Run(read_spec(out), choose_device(device), group)
    refuse_other_data(out, run.dataset, run.data.trusted)
    if finished(out, run):
        return run, True
    run.load_state(out)
    return run, False


def refuse_existing(out: Path) -> None:
    """Refuse to write a run where something is."""
    if out.exists() and (not out.is_dir() or any(one.name != LOCK for one in out.iterdir())):
        way = ", or --resume the run in it" if (out / "run.json").exists() else ""
        raise UsageError(f"{out} is already there; choose another --out{way}.")


def train(run: "Run", out: Path, words: Sequence[str] = ()) -> None:
    """Train a run in its folder, showing how far it is; an interruption leaves it resumable.

    Args:
        run: new, or where it was stopped.
        out: the folder.
        words: what was typed, for the record.

    Raises:
        KeyboardInterrupt: it was interrupted.
        Terminated: it was told to end.
        NoisyLabelsError: a loss was not finite, or memory did not suffice.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made a folder ({error.strerror}).") from error
    with alone(out) if run.group.first else nullcontext():
        _train(run, out, words)


def _train(run: "Run", out: Path, words: Sequence[str]) -> None:
    from noisylabels_plugins.run import write_record

    if not (out / "state.pt").exists():
        write_record(run, out, words)
    if run.spec.select == "best-test":
        say("Warning: --select best-test looks at the test labels; its scores are marked in every table.")
    name = f"{run.spec.method}, {run.spec.labels} labels, seed {run.spec.seed}"
    with collected(insist=True) as stopped, progress(f"training {name}") as advance:
        for record in run.train(out, lambda: bool(stopped)):
            advance(record["step"], run.steps, f"loss {record['loss']:.3f}")
    if run.selection.best:
        best = run.selection.best
        say(f"Kept the weights of epoch {best['epoch']} ({run.spec.select}: mean Dice {best['score']:.3f}).")
    signals = [number for one in run.group.gather(stopped) for number in one]
    if run.step < run.steps and signals:
        _leave(signals[0], f"Stopped after {run.step} of {run.steps} updates", out, run.group.first)


def _leave(number: int, finding: str, out: Path, speaks: bool) -> None:
    way_out = f"{finding}; go on with: noisylabels train --resume --out {out}"
    if not speaks:
        raise SystemExit(128 + number)
    if number == signal.SIGTERM:
        raise Terminated(way_out)
    say(way_out)
    raise KeyboardInterrupt


def _spec(method: str, folder: Path | None, given: dict[str, Any]) -> "RunSpec":
    from noisylabels_plugins.catalogue import LOSSES, METHODS, NETS
    from noisylabels_plugins.run import Engine, RunSpec

    module = METHODS.load(method)
    net, loss = given.pop("net") or module.Method.DEFAULT_NET, given.pop("loss") or ""
    net_params = _changed(NETS.load(net).Params, given, f"network '{net}'", "net")
    loss_params = _changed(LOSSES.load(loss).Params, given, f"loss '{loss}'", "loss") if loss else {}
    params = _changed(module.Params, given, f"method '{method}'")
    engine = _changed(Engine, given, "training")
    augment = given.pop("augment")
    return RunSpec(
        method=method,
        data=str(folder or embedded_noisy().path),
        params=params,
        net=net,
        net_params=net_params,
        loss=loss,
        loss_params=loss_params,
        trusted=given.pop("trusted") or "",
        augment=() if augment == "none" else tuple(augment.split(",")),
        **engine,
        **given,
    )


def _changed(kind: type, given: dict[str, Any], what: str, prefix: str = "") -> dict[str, Any]:
    """The values of a group of flags that are not the default, taken out of ``given``."""
    from noisylabels.params import plain

    values, default = plain(flags.read(kind, flags.taken(kind, given, prefix), what)), plain(kind())
    return {name: value for name, value in values.items() if value != default.get(name)}
