"""The embedded phantoms as a dataset in the present folder, for commands that were given none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from noisylabels.errors import InvalidData, UsageError
from noisylabels_cli.say import progress, say

if TYPE_CHECKING:
    from noisylabels.store.dataset import Dataset

FOLDER = Path("phantoms")
NAME = "phantoms"
COUNT = 120
"""Cases of the embedded dataset."""


NOISE = "asymmetric"
"""Mode of the noise that a command without a dataset trains on, at its defaults."""


def embedded_noisy() -> "Dataset":
    """The embedded phantoms with the default noise, in ``./phantoms-asymmetric``, written if they are not there.

    Raises:
        InvalidData: there is something else at that place, or it is damaged.
    """
    from noisylabels.catalogue import MODES
    from noisylabels.generate import noisy_dataset
    from noisylabels.recipe import Recipe, Step
    from noisylabels.store.dataset import Dataset

    out = Path(f"{FOLDER}-{NOISE}")
    clean = embedded()
    if out.exists():
        say(f"Using the noisy labels in ./{out}.")
        noisy = Dataset.open(out)
        if not noisy.noisy or noisy.clean.digest != clean.digest:
            raise InvalidData(
                f"./{out} was not made from ./{FOLDER}; name the dataset that you mean with --data."
            )
        return noisy
    module = MODES.load(NOISE)
    recipe = Recipe(0, (Step.of(NOISE, module, module.Params()),))
    say(f"Corrupting them: {recipe.text}, to ./{out}.")
    with progress("corrupting") as advance:
        return noisy_dataset(clean, recipe, out, 1, advance)


def embedded() -> "Dataset":
    """The phantoms in ``./phantoms``, written there if they are not.

    Raises:
        InvalidData: there is something else at that place, or it is damaged.
    """
    from noisylabels.phantoms import phantom_dataset
    from noisylabels.store.dataset import Dataset

    if not FOLDER.exists():
        say(f"No dataset was named: writing the embedded phantoms to ./{FOLDER}.")
        with progress("drawing phantoms") as advance:
            try:
                return phantom_dataset(
                    FOLDER, count=COUNT, progress=lambda done, case_id: advance(done, COUNT, case_id)
                )
            except UsageError:  # another process wrote them meanwhile
                if not FOLDER.exists():
                    raise
    say(f"No dataset was named: using the phantoms in ./{FOLDER}.")
    try:
        dataset = Dataset.open(FOLDER)
    except InvalidData as error:
        raise InvalidData(f"{str(error).rstrip('.')}; remove ./{FOLDER} to have it written anew.") from error
    if dataset.info.name != NAME or dataset.noisy:
        raise InvalidData(
            f"./{FOLDER} holds another dataset ({dataset.info.name}); name the dataset that you mean."
        )
    return dataset


@contextmanager
def embedded_for_now(path: Path | None) -> "Iterator[Dataset]":
    """A dataset to look at: the one at ``path`` or, for None, the phantoms, without leaving any behind.

    Raises:
        InvalidData: it is missing or damaged.
    """
    from noisylabels.phantoms import phantom_dataset
    from noisylabels.store.dataset import Dataset

    if path is not None:
        yield Dataset.open(path)
    elif FOLDER.exists():
        yield embedded()
    else:
        say("No dataset was named: using the embedded phantoms, drawn for this look only.")
        with TemporaryDirectory() as folder, progress("drawing phantoms") as advance:
            yield phantom_dataset(
                Path(folder) / FOLDER,
                count=COUNT,
                progress=lambda done, case_id: advance(done, COUNT, case_id),
            )
