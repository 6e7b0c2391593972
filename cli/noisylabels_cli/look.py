"""A look before the work: what would be done, in words (``--dry-run``) or as a picture (``--preview``)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from noisylabels.errors import NoisyLabelsError, UsageError
from noisylabels_cli.say import columns, progress
from noisylabels_cli.workers import Workers

if TYPE_CHECKING:
    from noisylabels.plan import Plan
    from noisylabels.recipe import Recipe
    from noisylabels.steps import OneOf, Step
    from noisylabels.store.dataset import Dataset


def look(clean: "Dataset", recipe: "Recipe", out: Path, preview: int | None, by: Workers) -> str:
    """What to print.

    Args:
        clean: the dataset.
        recipe: with numbers for classes.
        out: the folder that is not written now.
        preview: how many cases the picture shall show; None for words.
        by: who would work.
    """
    return str(_preview(clean, recipe, out, preview)) if preview else _dry_run(clean, recipe, out, by)


def same(out: Path, recipe: "Recipe", clean: "Dataset") -> bool:
    """Whether ``out`` was made by the same recipe from the same dataset."""
    from noisylabels.store.dataset import Dataset

    try:
        there = Dataset.open(out)
        return (
            there.recipe is not None
            and there.recipe.digest == recipe.digest
            and there.document["noisylabels"]["parent"]["digest"] == clean.digest
        )
    except NoisyLabelsError:
        return False


def _preview(clean: "Dataset", recipe: "Recipe", out: Path, count: int) -> Path:
    from noisylabels.generate import plan, preview_case
    from noisylabels.reports.preview import page, row, write_preview

    path = out.parent / f"{out.name}-preview.png"
    chosen = _spread(list(plan(clean, recipe).chosen), count)
    if not chosen:
        raise UsageError("The recipe touches no case, so there is nothing to see; touch more cases.")
    rows = []
    with progress("drawing") as advance:
        for number, case_id in enumerate(chosen, start=1):
            rows.append(row(*preview_case(clean, recipe, case_id)))
            advance(number, len(chosen), case_id)
    write_preview(page(rows, recipe.text, clean.info.classes), path)
    return path


def _spread(ids: Sequence[str], count: int) -> list[str]:
    """At most ``count`` ids at even distances, the first and the last among them."""
    if len(ids) <= count:
        return list(ids)
    return [ids[k * (len(ids) - 1) // max(1, count - 1)] for k in range(count)]


def _dry_run(clean: "Dataset", recipe: "Recipe", out: Path, by: Workers) -> str:
    from noisylabels.generate import plan
    from noisylabels.store.write import refuse_existing
    from noisylabels_cli.estimate import estimate

    what = plan(clean, recipe)
    there = out.exists() and same(out, recipe, clean)
    if not there:
        refuse_existing(out)
    place = "is already there, made by the same recipe: nothing to do" if there else "is not there yet"
    maps = f"{len(what.ids)} label maps"
    if recipe.annotators:
        maps += f" and those of {recipe.annotators} annotators"
    rows = [
        ("dataset", f"{clean.info.name}: {len(clean.entries)} cases, digest {clean.digest[:12]}"),
        *_what(recipe),
        ("cases", _cases(clean, what)),
        *([("target", _target(recipe))] if recipe.target else []),
        ("seed", str(recipe.seed)),
        ("reads", ", ".join(["labels", *sorted(what.needs)])),
        ("writes", f"{out}: {maps}; it {place}"),
        *estimate(clean, what, by),
    ]
    return columns(rows)


def _what(recipe: "Recipe") -> Iterator[tuple[str, str]]:
    from noisylabels.steps import Step

    for number, step in enumerate(recipe.steps, start=1):
        if isinstance(step, Step):
            mode, *params = _params(step)
            yield f"step {number}", mode
            yield from (("", line) for line in params)
        else:
            yield f"step {number}", f"one of these, drawn per {step.per}:"
            yield from (("", line) for line in _options(step))
    if recipe.share != "case":
        yield "draws", f"shared by {recipe.share}"
    if recipe.annotators:
        yield "annotators", f"{recipe.annotators}, each with draws of its own"


def _options(choice: "OneOf") -> Iterator[str]:
    total = sum(choice.weights)
    for option in choice.options:
        mode, *params = _params(option.step)
        yield f"  {option.weight / total:.1%} {mode}"
        yield from (f"  {line}" for line in params)


def _params(step: "Step") -> Iterator[str]:
    """The mode, then every parameter, also those that were not named."""
    from noisylabels.catalogue import MODES
    from noisylabels.params import plain
    from noisylabels.steps import NOTHING, word

    if step.mode == NOTHING:
        yield "nothing: the labels stay"
        return
    yield f"{step.mode}, version {step.version}"
    for name, value in plain(step.params_for(MODES.load(step.mode))).items():
        yield f"  {name.replace('_', ' ')} {word(value)}"


def _cases(clean: "Dataset", what: "Plan") -> str:
    """How many are touched, and of how many groups."""

    def groups(ids: Sequence[str]) -> int:
        return len({clean.entries[case_id].group or case_id for case_id in ids})

    touched, every = list(what.chosen), what.ids
    text = f"{len(touched)} of {len(every)} in {' and '.join(what.recipe.splits)} are touched"
    if groups(every) < len(every):
        text += f", from {groups(touched)} of {groups(every)} groups"
    return f"{text} ({what.recipe.selection.text or 'all'})"


def _target(recipe: "Recipe") -> str:
    assert recipe.target is not None
    low, high = recipe.target.value
    aim = f"{low:g}" if low == high else f"drawn from {low:g} to {high:g}"
    return (
        f"{recipe.target.metric} {aim}, within {recipe.target.tolerance:g}: the strengths above are multiplied, "
        "case by case, by what gives the nearest"
    )
