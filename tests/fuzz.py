"""Random recipes on random small maps: no traceback, no invariant broken. ``make fuzz``, or a few in the tests.

What a recipe may refuse in one sentence (a mode that needs slices on a plane, too few classes) is no failure; any
other exception is, and so are labels that break the contract or are not the same a second time.
"""

import argparse
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).parent)] if str(Path(__file__).parent) not in sys.path else []

import numpy as np  # noqa: E402
from mode_facts import facts  # noqa: E402
from toys import CLASSES, case  # noqa: E402

from noisylabels.apply import corrupted  # noqa: E402
from noisylabels.case import IGNORE  # noqa: E402
from noisylabels.catalogue import MODES  # noqa: E402
from noisylabels.errors import NoisyLabelsError, UsageError  # noqa: E402
from noisylabels.params import build  # noqa: E402
from noisylabels.recipe import OneOf, Option, Recipe, Selection, Step, Target  # noqa: E402

SEED = 20


def random_params(chance, name):
    """The example or a golden setting of a mode, at a random strength and on random classes."""
    module = MODES.load(name)
    settings = [module.EXAMPLE, *(build(module.Params, values, name) for values in facts(name).golden)]
    params = chance.choice(settings)
    if hasattr(module, "scaled"):
        params = module.scaled(params, chance.choice([0.0, 0.1, 0.5, 1.0, 1.7, 4.0, 30.0]))
    if chance.random() < 0.2:
        try:
            params = replace(params, classes=tuple(sorted(chance.sample([1, 2, 3], chance.randint(1, 3)))))
        except UsageError:  # a setting of a matrix for other classes, for instance
            return params
    return params


def random_step(chance):
    """One mode, or one of several."""
    names = MODES.names()

    def one():
        name = chance.choice(names)
        return Step.of(name, MODES.load(name), random_params(chance, name))

    if chance.random() < 0.8:
        return one()
    options = [Option(chance.choice([0.5, 1.0, 2.0]), one()) for _ in range(chance.randint(2, 3))]
    if chance.random() < 0.3:
        options.append(Option(1.0, Step.nothing()))
    return OneOf(tuple(options), per=chance.choice(["case", "class", "object"]))


def random_recipe(chance):
    """One to three steps with everything that can stand around them."""
    steps = tuple(random_step(chance) for _ in range(chance.choice([1, 1, 1, 2, 3])))
    target = None
    if chance.random() < 0.1:
        low = chance.uniform(0.05, 0.9)
        metric = chance.choice(["dice", "jaccard", "wrong_pixels", "wrong_foreground", "shift_px"])
        target = Target(metric, (low, low))
    selection = Selection(
        fraction=chance.choice([1.0, 1.0, 0.5]),
        per_class=chance.random() < 0.2,
        objects=chance.choice([1.0, 1.0, 0.5, 0.0]),
    )
    return Recipe(
        seed=chance.randint(0, 99),
        steps=steps,
        selection=selection,
        annotators=chance.choice([0, 0, 0, 2]),
        target=target,
    )


def random_labels(chance, dims):
    """Noise, blobs, uniform maps, single pixels; IGNORE now and then."""
    shape = tuple(chance.randint(1, 26 if dims == 2 else 10) for _ in range(dims))
    rng = np.random.default_rng(chance.randint(0, 2**32))
    kind = chance.random()
    if kind < 0.25:
        labels = rng.choice([0, 0, 0, 1, 2, 3, IGNORE], shape).astype(np.uint8)
    elif kind < 0.35:
        labels = np.full(shape, chance.choice([0, 1, 3, IGNORE]), np.uint8)
    elif kind < 0.45:
        labels = np.zeros(shape, np.uint8)
        labels[tuple(chance.choice([0, n - 1, n // 2]) for n in shape)] = chance.randint(1, 3)
    else:
        labels = np.zeros(shape, np.uint8)
        grid = np.indices(shape)
        for k in range(chance.randint(1, 5)):
            far = sum((axis - chance.randint(0, n)) ** 2 for axis, n in zip(grid, shape, strict=True))
            labels[far <= chance.randint(0, 7) ** 2] = 1 + k % 3
        if chance.random() < 0.3:
            labels[rng.integers(0, 15, shape) == 0] = IGNORE
    return labels


def random_case(chance):
    """A plane or a volume with image, readers and spacing."""
    labels = random_labels(chance, chance.choice([2, 2, 3]))
    spacing = tuple(chance.choice([0.5, 0.7, 1.0, 2.5]) for _ in labels.shape)
    return case(labels, spacing=spacing)


def check(one, recipe):
    """Run a recipe on a case; the refusal, or None. Raises AssertionError where an invariant is broken."""
    before = one.labels.copy()
    annotators = range(recipe.annotators) if recipe.annotators else [None]
    for annotator in annotators:
        try:
            labels = corrupted(one, recipe, "fuzz", annotator=annotator).labels
        except UsageError as refusal:
            return str(refusal)
        assert labels.shape == before.shape
        assert labels.dtype == np.uint8
        assert np.array_equal(one.labels, before)
        assert np.array_equal(labels == IGNORE, before == IGNORE)
        assert set(np.unique(labels)) <= {*range(len(CLASSES)), IGNORE}
        if not (before[before != IGNORE] > 0).any() and not flips_background(recipe):
            assert np.array_equal(labels, before), "something appeared where no object is"
        assert np.array_equal(corrupted(one, recipe, "fuzz", annotator=annotator).labels, labels)
    return None


def flips_background(recipe):
    """Whether a step may turn background into an object: pixel flips do, a confusion matrix, a reader's view."""
    text = recipe.to_toml()
    return any(
        word in text for word in ("background", "confusion", 'unit = "pixel"', '"reader"', '"pseudo-label"')
    )


def library(count, seed=SEED):
    """So many random recipes through the library; how many were refused, by sentence."""
    refused = Counter()
    for number in range(count):
        chance = Random(f"{seed} {number}")
        recipe = random_recipe(chance)
        assert Recipe.from_toml(recipe.to_toml()) == recipe
        one = random_case(chance)
        try:
            refusal = check(one, recipe)
        except Exception as error:
            error.add_note(
                f"recipe number {number} of seed {seed}:\n{recipe.to_toml()}\nlabels {one.labels.tolist()}"
            )
            raise
        if refusal:
            assert refusal.endswith("."), refusal
            assert "\n" not in refusal, refusal
            refused[refusal.split(":")[-1].strip()[:60]] += 1
    return refused


def command_line(count, seed=SEED):
    """So many random recipes through ``noisylabels corrupt``, on datasets of four cases; how many were refused."""
    from small import small_info, small_split

    from noisylabels.store.dataset import Dataset, write_dataset
    from noisylabels_cli.main import run

    refused = 0
    info = small_info(".nii.gz", channels=1, classes=CLASSES)
    for number in range(count):
        chance = Random(f"{seed} command line {number}")
        recipe = random_recipe(chance)
        dims = chance.choice([2, 2, 3])
        with TemporaryDirectory() as folder:
            place = Path(folder)
            spacing = (1.0,) * dims
            cases = [
                replace(case(random_labels(chance, dims), spacing=spacing), case_id=f"case_{k:03d}")
                for k in range(6)
            ]
            write_dataset(cases, info, place / "clean", {"default": small_split(6)})
            (place / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
            words = ["corrupt", str(place / "clean"), "--recipe", str(place / "recipe.toml")]
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                code = run([*words, "--out", str(place / "noisy"), "--quiet"])
            assert code in (0, 2), f"exit code {code} of recipe {number} of seed {seed}:\n{recipe.to_toml()}"
            if code:
                refused += 1
                continue
            noisy = Dataset.open(place / "noisy")
            for case_id in noisy.ids():
                noisy.load(case_id)
    return refused


def main():
    """Print how many were refused and why."""
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--count", type=int, default=10_000)
    words.add_argument("--command-line", type=int, default=500)
    words.add_argument("--seed", type=int, default=SEED)
    asked = words.parse_args()
    refused = library(asked.count, asked.seed)
    sys.stdout.write(f"library: {asked.count} recipes, {sum(refused.values())} refused\n")
    for sentence, times in refused.most_common():
        sys.stdout.write(f"    {times:5d}  ... {sentence}\n")
    refusals = command_line(asked.command_line, asked.seed)
    sys.stdout.write(f"command line: {asked.command_line} recipes, {refusals} refused\n")


if __name__ == "__main__":
    try:
        main()
    except NoisyLabelsError as error:
        sys.exit(str(error))
