"""Where cases, a recipe and draws meet: a noisy dataset out of a clean one.

The plan says which cases are touched, the work makes them one by one, here or elsewhere; a run that is killed
at any moment goes on where it stopped when the same is asked again.
"""

from collections.abc import Callable
from pathlib import Path

from noisylabels.case import Case, LabelMap
from noisylabels.errors import unknown
from noisylabels.parallel import Executor, check_executor, map_cases
from noisylabels.plan import Plan as Plan
from noisylabels.plan import plan as plan
from noisylabels.recipe import Recipe
from noisylabels.store.dataset import Dataset
from noisylabels.store.work import WorkFolder
from noisylabels.store.write import refuse_existing
from noisylabels.work import Work, make


def noisy_dataset(
    clean: Dataset,
    recipe: Recipe,
    out: Path | str,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
    executor: Executor = "processes",
    scheduler: str | None = None,
) -> Dataset:
    """Make a noisy dataset: labels of the recipe's splits, corrupted and measured, without images.

    The labels depend on the parent's labels and the recipe alone: not on ``jobs``, on the order, on which
    other cases there are, or on how often the run was killed and started again. (Which cases are touched
    depends on how many there are; a run of neighbours that shares its draws, on who the neighbours are.)

    Args:
        clean: the parent; it is not changed.
        recipe: what to do; class names in it are replaced by numbers.
        out: the folder to make; it must not exist.
        jobs: processes.
        progress: called after each case with the number of finished cases, of all cases, and the case's id.
        executor: who works: see :func:`noisylabels.parallel.map_cases`.
        scheduler: address of a dask scheduler.

    Returns:
        The noisy dataset, opened.

    Raises:
        UsageError: ``out`` is already there, ``clean`` is itself noisy, or the recipe asks for something that
            is not there.
        InvalidData: a case of the parent is damaged.
        NoisyLabelsError: the disk is full or a mode broke its contract. What is finished stays for another
            try.
    """
    out = Path(out)
    refuse_existing(out)
    check_executor(executor, scheduler)
    if executor == "dask":  # its workers stand in folders of their own
        out, clean = out.resolve(), Dataset.open(clean.path.resolve())
    work = Work(clean, plan(clean, recipe), WorkFolder(out))
    ids = work.plan.ids
    try:
        work.prepare()
        open_ids = [case_id for case_id in ids if not work.is_finished(case_id)]
        done = len(ids) - len(open_ids)
        if done and progress:
            progress(done, len(ids), "done before")
        for finished in map_cases(work.run, open_ids, jobs, executor, scheduler):
            done += 1
            if progress:
                progress(done, len(ids), finished)
        work.finish()
    except BaseException:
        work.folder.leave()
        raise
    return Dataset.open(out)


def preview_case(clean: Dataset, recipe: Recipe, case_id: str) -> tuple[Case, LabelMap]:
    """One case as :func:`noisy_dataset` would make it; nothing is written.

    Args:
        clean: the parent.
        recipe: what to do.
        case_id: a case of the recipe's splits.

    Returns:
        The clean case with its image, and its noisy labels, the first annotator's if there are several.

    Raises:
        UsageError: as :func:`noisylabels.plan.plan`, or there is no such case.
        InvalidData: the case is damaged.
    """
    what = plan(clean, recipe)
    if case_id not in what.ids:
        raise unknown("case to be made noisy:", case_id, what.ids)
    case = clean.load(case_id, readers="readers" in what.needs, scores="scores" in what.needs)
    return case, make(case, what)[0].labels
