"""A dataset folder: opened read-only, written once.

    <dataset>/  dataset.json  cases.csv  provenance.json  splits/<name>.json
                imagesTr/<case>_0000.<ext>  labelsTr/<case>.<ext>     training and validation cases
                imagesTs/<case>_0000.<ext>  labelsTs/<case>.<ext>     test cases
                readers/<reader>/<case>.<ext>                         other label maps of the same image
                scores/<reader>/<case>_0000.<ext> ...                 how sure a model is of every class, 0 to 255
    <derived>/  as a dataset, without imagesTr and imagesTs       further readers; images stay in the parent
    <noisy>/    dataset.json  cases.csv  recipe.toml  labelsTr/<case>.<ext>
                readers/<annotator>/<case>.<ext>                      images and the rest stay in the parent

What is loaded is checked against its digest: a file that was damaged or edited is noticed where it is used.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from noisylabels.case import IGNORE, Case, LabelMap
from noisylabels.errors import InvalidData, unknown
from noisylabels.recipe import Recipe
from noisylabels.store.digests import content_digest
from noisylabels.store.entries import CaseEntry, cases_from_csv, dataset_digest
from noisylabels.store.files import image_names, read_image, read_labels
from noisylabels.store.index import DatasetInfo
from noisylabels.store.links import follow
from noisylabels.store.splits import PARTS, Split
from noisylabels.store.write import score_files, write_folder


def write_dataset(
    cases: Iterable[Case],
    info: DatasetInfo,
    out: Path | str,
    splits: Mapping[str, Split | Mapping[str, Iterable[str]]],
    provenance: Mapping[str, Any] | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> "Dataset":
    """Write a dataset folder from a stream of cases.

    Args:
        cases: with images; each is written as it comes and forgotten.
        info: what holds for all of them.
        out: the folder to make; it must not exist.
        splits: every named split, with ``info.default_split`` among them; plain mappings from part to case
            ids serve too. Test cases of the default split go to ``imagesTs`` and ``labelsTs``.
        provenance: what ``provenance.json`` should hold beside our version: options, hashes of the source
            files.
        progress: called after each case with the number of cases so far and the case's id.

    Returns:
        The dataset, opened.

    Raises:
        UsageError: ``out`` is already there.
        InvalidData: a case contradicts ``info``, an id comes twice, a split names a case that does not come.
        NoisyLabelsError: the disk is full. Whatever happens, ``out`` is complete or not there.
    """
    named = {
        name: s if isinstance(s, Split) else Split(parts={part: tuple(ids) for part, ids in s.items()})
        for name, s in splits.items()
    }
    write_folder(cases, info, Path(out), named, provenance or {}, progress)
    return Dataset.open(out)


class Dataset:
    """Read-only view of a dataset folder; open one with :meth:`open`.

    Attributes:
        path: the folder.
        info: what holds for every case.
        entries: the cases whose labels are in this folder, by id. A noisy dataset holds its training cases
            only.
        digest: identity of the labels, images and readers in this folder.
    """

    def __init__(
        self, path: Path, info: DatasetInfo, entries: Mapping[str, CaseEntry], document: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.info = info
        self.entries = dict(entries)
        self.digest = dataset_digest(entries.values())
        self.document = document

    @classmethod
    def open(cls, path: Path | str) -> "Dataset":
        """Open a dataset folder.

        Raises:
            InvalidData: it is missing, incomplete or damaged; the message says what was found.
        """
        path = Path(path)
        if not path.is_dir():
            finding = "is a file" if path.exists() else "does not exist"
            raise InvalidData(f"{path} {finding}; expected the folder of a dataset.")
        try:
            info, document = DatasetInfo.from_json(_read_text(path / "dataset.json"))
        except InvalidData as error:
            raise _at(path / "dataset.json", error) from error
        try:
            entries = cases_from_csv(_read_text(path / "cases.csv"))
        except InvalidData as error:
            raise _at(path / "cases.csv", error) from error
        dataset = cls(path, info, entries, document)
        if dataset.digest != document["noisylabels"].get("digest"):
            raise InvalidData(
                f"{path / 'cases.csv'} was changed or cut: its digests do not add up to the dataset's."
            )
        return dataset

    def __repr__(self) -> str:
        return f"Dataset({str(self.path)!r}, {len(self.entries)} cases, {self.digest[:12]})"

    @property
    def noisy(self) -> bool:
        """Whether this dataset holds noisy labels and points at a clean parent."""
        return "parent" in self.document["noisylabels"]

    @cached_property
    def parent(self) -> "Dataset | None":
        """The clean dataset that a noisy one was made from; None for a clean one.

        Raises:
            InvalidData: it is not where the noisy dataset says.
            Mismatch: there is another dataset at that place.
        """
        return self._linked("parent")

    @property
    def clean(self) -> "Dataset":
        """The parent of a noisy dataset, or the dataset itself."""
        return self.parent or self

    @cached_property
    def image_home(self) -> "Dataset":
        """The dataset whose folder holds the images: another one for a noisy or a derived dataset."""
        return self.clean._linked("images") or self.clean

    def _linked(self, name: str) -> "Dataset | None":
        link = self.document["noisylabels"].get(name)
        return None if link is None else follow(self.path, link, Dataset.open)

    @cached_property
    def recipe(self) -> Recipe | None:
        """How a noisy dataset was made; None for a clean one."""
        return Recipe.from_toml(self._recipe_text) if self.noisy else None

    @cached_property
    def measured(self) -> dict[str, Any] | None:
        """The measured noise, pooled over the training cases; None for a clean dataset."""
        if not self.noisy:
            return None
        return cast(dict[str, Any], tomllib.loads(self._recipe_text).get("measured", {}))

    @cached_property
    def _recipe_text(self) -> str:
        text = _read_text(self.path / "recipe.toml")
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidData(f"{self.path / 'recipe.toml'} is damaged ({error}).") from error
        return text

    @cached_property
    def splits(self) -> dict[str, Split]:
        """Every named split, the parent's for a noisy dataset."""
        if self.parent:
            return self.parent.splits
        found = {}
        for file in sorted((self.path / "splits").glob("*.json")):
            found[file.stem] = Split.from_json(_read_text(file), file)
        return found

    def ids(self, part: str | None = None, split: str | None = None) -> list[str]:
        """Case ids, sorted.

        Args:
            part: "train", "val" or "test"; None for the cases whose labels are in this folder.
            split: name of the split; None for the dataset's default.

        Raises:
            UsageError: there is no such split or part.
        """
        if part is None:
            return sorted(self.entries)
        name = split or self.info.default_split
        if name not in self.splits:
            raise unknown("split", name, self.splits)
        if part not in PARTS:
            raise unknown("part of a split", part, PARTS)
        return sorted(self.splits[name].parts.get(part, ()))

    def load(self, case_id: str, image: bool = True, readers: bool = True, scores: bool = False) -> Case:
        """Read one case, checked against its digests.

        Args:
            case_id: a case of this dataset or, for a noisy one, of its parent: what has no noisy labels
                (validation and test cases) comes with the parent's clean ones.
            image: whether to read the image too.
            readers: whether to read the readers' labels too: of a noisy dataset with annotators these, else
                the parent's.
            scores: whether to read the scores of readers too.

        Raises:
            UsageError: there is no such case.
            InvalidData: a file is missing or damaged.
        """
        if case_id not in self.entries:
            if not self.parent:
                raise unknown("case", case_id, self.entries)
            return self.parent.load(case_id, image, readers, scores)
        entry = self.entries[case_id]
        home = self.clean
        source = home.entries[case_id]
        folder = f"labels{'Tr' if self.noisy else entry.folder}"
        return Case(
            case_id=case_id,
            labels=self._labels(folder, entry, entry.labels_digest),
            classes=self.info.classes,
            image=home._image(source) if image else None,
            spacing=entry.spacing,
            group=entry.group,
            readers=self._readers(entry) or home._readers(source) if readers else {},
            scores={k: home._scores(source, k) for k in source.scores} if scores else {},
            notes=source.notes,
        )

    def label_path(self, case_id: str) -> Path:
        """The label file of a case of this folder."""
        folder = "Tr" if self.noisy else self.entries[case_id].folder
        return self.path / f"labels{folder}" / f"{case_id}{self.info.ending}"

    def image_paths(self, case_id: str) -> list[Path]:
        """The image files of a case, wherever they are."""
        home = self.image_home
        folder = home.path / f"images{home.entries[case_id].folder}"
        return [folder / name for name in image_names(case_id, home.info.ending, len(home.info.channels))]

    def _labels(self, folder: str, entry: CaseEntry, digest: str) -> LabelMap:
        path = self.path / folder / f"{entry.case_id}{self.info.ending}"
        labels, _ = read_labels(path, len(entry.shape), self.info.ignore)
        undeclared = set(np.unique(labels).tolist()) - set(range(len(self.info.classes))) - {IGNORE}
        if undeclared:
            raise InvalidData(
                f"{path} holds the value {min(undeclared)}, but the dataset declares only the classes 0 to "
                f"{len(self.info.classes) - 1} ({', '.join(self.info.classes)})."
            )
        _check(path, labels, entry, digest)
        return labels

    def _scores(self, entry: CaseEntry, reader: str) -> NDArray[np.uint8]:
        paths = score_files(entry.case_id, self.info, self.path, reader)
        scores = read_image(paths, len(entry.shape))
        _check(paths[0], scores, entry, entry.scores[reader])
        return scores

    def _readers(self, entry: CaseEntry) -> dict[str, LabelMap]:
        return {k: self._labels(f"readers/{k}", entry, digest) for k, digest in entry.readers.items()}

    def _image(self, entry: CaseEntry) -> NDArray[Any]:
        paths = self.image_paths(entry.case_id)
        image = read_image(paths, len(entry.shape))
        _check(paths[0], image, entry, entry.image_digest)
        return image


def _check(path: Path, array: NDArray[Any], entry: CaseEntry, digest: str) -> None:
    shape = array.shape[-len(entry.shape) :]
    if shape != entry.shape:
        raise InvalidData(f"{path} has shape {shape}, but case {entry.case_id} has {entry.shape}.")
    if content_digest(array, entry.spacing) != digest:
        raise InvalidData(
            f"{path} was changed after the dataset was written: its digest differs from cases.csv."
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidData(f"{path} is missing; the folder is not a complete dataset.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData(f"{path} cannot be read ({error}).") from error


def _at(path: Path, error: InvalidData) -> InvalidData:
    text = str(error)
    return error if str(path) in text else InvalidData(f"{path} {text}{'' if text.endswith('.') else '.'}")
