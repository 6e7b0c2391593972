"""What a suite comes down to: tasks with the commands that do them, and which of them wait for which.

OUT/data/clean            phantoms, where the suite draws them
OUT/data/NOISE-SEED       noisy labels; for pseudo-labels, NOISE-SEED.made holds their source, run and readers
OUT/runs/ROW-NOISE-SEED   a run folder for every cell
work/TASK/ in OUT         task.json: what is meant; log.txt: what was said; lock: who is at it
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from noisylabels.errors import UsageError
from noisylabels.store.runs import is_made
from noisylabels.suite import Cell, Noise, Suite, decisive, merged

SPLIT = "split of the data"
"""Where what a task depends on names the split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to be made by a child process.

    Attributes:
        name: of its folder below ``work``.
        product: what is there when it is done.
        begun: what is there when it was begun at least.
        steps: commands as for ``noisylabels``, each with the path that is there when it is done.
        meaning: everything that the product depends on, as plain values.
        needs: names of the tasks that must be done before.
        cell: the cell of the grid, or None for data.
    """

    name: str
    product: Path
    begun: Path
    steps: Sequence[tuple[Sequence[str], Path]]
    meaning: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    cell: Cell | None = None

    def document(self) -> dict[str, Any]:
        """What ``task.json`` holds."""
        steps = [{"args": list(args), "makes": str(path)} for args, path in self.steps]
        return {"name": self.name, "meaning": self.meaning, "steps": steps}

    @property
    def done(self) -> bool:
        """Whether the product is there, and that of a whole training."""
        return is_made(self.product)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a suite is run, and on what.

    Attributes:
        out: the folder of the whole.
        data: the user's dataset; None where phantoms are drawn.
        digest: of the user's dataset; "" where phantoms are drawn.
        device: as ``--device`` takes it.
        split: digest of the split of the user's dataset.
    """

    out: Path
    data: Path | None
    digest: str
    device: str
    split: str = ""

    @property
    def clean(self) -> Path:
        """The clean dataset."""
        return self.data or self.out / "data" / "clean"

    def noisy(self, noise: Noise, run_seed: int) -> Path:
        """The noisy dataset that runs with a seed are trained on."""
        return self.out / "data" / f"{noise.key}-{noise.seed(run_seed)}"

    def run(self, cell: Cell) -> Path:
        """The run folder of a cell."""
        return self.out / "runs" / cell.name

    def work(self, name: str) -> Path:
        """The folder of a task's record, log and lock."""
        return self.out / "work" / name


def all_tasks(suite: Suite, place: Place) -> list[Task]:
    """Everything that a suite needs, data before the cells that are trained on them.

    Raises:
        UsageError: a setting is not one of ``noisylabels train``, which ``check_settings`` says in better words; or a
            weight file is missing.
    """
    data = [_phantoms("data", place.clean, suite.phantom)] if place.data is None and suite.phantom else []
    found = {task.name: task for task in data}
    for cell in suite.cells():
        for task in [*(_noise_tasks(suite, cell.noise, cell.seed, place) if cell.noise else []),
                     _cell_task(suite, cell, place)]:  # fmt: skip
            found.setdefault(task.name, task)
    return list(found.values())


def _phantoms(name: str, out: Path, options: Mapping[str, Any] | None) -> Task:
    known = dict(options or {})
    flags = [f"--{key}={'x'.join(map(str, v)) if isinstance(v, list) else v}" for key, v in known.items()]
    steps = [(["phantom", *flags, "--out", str(out)], out)]
    return Task(name=name, product=out, begun=out, steps=steps, meaning={"phantom": known})


def _noise_tasks(suite: Suite, noise: Noise, run_seed: int, place: Place) -> list[Task]:
    out, seed = place.noisy(noise, run_seed), noise.seed(run_seed)
    name = f"data.{out.name}"
    recipe = place.work(name) / "recipe.toml"
    source = _source_steps(suite, noise, seed, place)
    parent = source[-1][1] if source else place.clean
    made = ["corrupt", str(parent), "--recipe", str(recipe), "--seed", str(seed), "--out", str(out)]
    task = Task(
        name=name,
        product=out,
        begun=out if out.exists() or not source else _made(out),
        steps=[(["_write", str(recipe), noise.recipe.to_toml()], recipe), *source, (made, out)],
        meaning=_noise_meaning(suite, noise, seed, place),
        needs=() if place.data else ("data",),
    )
    return [task]


def _source_steps(suite: Suite, noise: Noise, seed: int, place: Place) -> list[tuple[list[str], Path]]:
    """Train a model on its source, and let it predict the training cases as a reader."""
    from noisylabels_plugins.cells import train_flags

    source, made = noise.source, _made(place.out / "data" / f"{noise.key}-{seed}")
    if source is None:
        return []
    data, run, readers = made / "source", made / "run", made / "readers"
    steps: list[tuple[list[str], Path]] = []
    if source.cases is not None:
        steps.append((["_few", str(place.clean), str(source.cases), str(seed), str(data)], data))
    elif source.phantom is not None:
        steps += _phantoms("", data, source.phantom).steps  # type: ignore[arg-type]
    else:
        data = Path(str(source.data))
    settings = merged(suite.settings, source.settings)
    flags = train_flags(source.method, settings)
    where = ["--data", str(data), "--seed", str(seed), "--out", str(run), "--device", place.device]
    steps.append((["train", source.method, *flags, *where], run / "model.safetensors"))
    predict = ["predict", str(run), "--data", str(place.clean), "--as-reader", "--out", str(readers)]
    return [*steps, ([*predict, *_predict_flags(source.predict), "--device", place.device], readers)]


def _predict_flags(values: Mapping[str, Any]) -> list[str]:
    flags = {f"--{key.replace('_', '-')}": value for key, value in values.items() if value is not False}
    return [flag if value is True else f"{flag}={value}" for flag, value in flags.items()]


def _made(noisy: Path) -> Path:
    """Where the way to pseudo-labels lies."""
    return noisy.with_name(f"{noisy.name}.made")


def _noise_meaning(suite: Suite, noise: Noise, seed: int, place: Place) -> dict[str, Any]:
    from noisylabels_plugins.cell_weights import by_content

    meaning: dict[str, Any] = {**_data_meaning(suite, place), "seed": seed}
    meaning["recipe"] = noise.recipe.digest
    if noise.source:
        source = noise.source
        meaning["source"] = {
            **{k: v for k, v in asdict(source).items() if k != "data"},
            "data": _digest(source.data) if source.data else "",
            "settings": by_content(decisive(merged(suite.settings, source.settings)), source.method),
        }
    return meaning


def _data_meaning(suite: Suite, place: Place) -> dict[str, Any]:
    return {"data": place.digest, SPLIT: place.split} if place.digest else {"data": suite.phantom}


@cache
def _digest(folder: Path) -> str:
    from noisylabels.store.dataset import Dataset

    return Dataset.open(folder).digest


def _cell_task(suite: Suite, cell: Cell, place: Place) -> Task:
    from noisylabels_plugins.cell_weights import by_content
    from noisylabels_plugins.cells import train_flags

    settings, run = suite.settings_of(cell), place.run(cell)
    data = place.noisy(cell.noise, cell.seed) if cell.noise else place.clean
    args = ["train", cell.row.method, *train_flags(cell.row.method, settings)]
    args += ["--data", str(data), "--seed", str(cell.seed), "--out", str(run), "--device", place.device]
    steps = [
        (args, run / "model.safetensors"),
        (["evaluate", str(run), "--device", place.device], run / "scores.csv"),
    ]
    noise = (
        _noise_meaning(suite, cell.noise, cell.noise.seed(cell.seed), place)
        if cell.noise
        else _data_meaning(suite, place)
    )
    needs = f"data.{data.name}" if cell.noise else "data"
    return Task(
        name=cell.name,
        product=run / "scores.csv",
        begun=run,
        steps=steps,
        meaning=by_content(
            {"method": cell.row.method, "seed": cell.seed, **decisive(settings), "labels": noise}
        ),
        needs=() if cell.noise is None and place.data else (needs,),
        cell=cell,
    )


def place_of(suite: Suite, out: Path, given: Path | None, device: str) -> Place:
    """Where a suite is run; the user's dataset, if it needs one, is opened.

    Raises:
        UsageError: the suite needs a dataset and none was named, or it has nothing to score.
        InvalidData: the dataset is missing or damaged.
    """
    from noisylabels.store.dataset import Dataset
    from noisylabels.store.identity import split_digest

    data = given or suite.data
    if data is None and suite.phantom is None:
        raise UsageError(f"The suite {suite.name} needs a dataset; name its folder with --data.")
    if data is None:
        return Place(out, None, "", device)
    dataset = Dataset.open(data)
    if dataset.noisy:
        raise UsageError(f"{data} is noisy; a suite makes its noise itself, so name {dataset.clean.path}.")
    if not dataset.ids("test"):
        raise UsageError(f"The split of {data} has no test case to score; make a split that has some.")
    return Place(out, data, dataset.digest, device, split_digest(dataset))
