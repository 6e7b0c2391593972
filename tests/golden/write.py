"""Write the golden pictures: ``make golden``, then look at them with ``git diff tests/golden``.

One text file a mode: for several parameters the clean and the noisy map side by side, and digests of larger
maps that nobody can read. They may change only together with the VERSION of the mode.
"""

import hashlib
import sys
from pathlib import Path

from noisylabels.catalogue import MODES
from noisylabels.draws import Draws
from noisylabels.params import build

FOLDER = Path(__file__).parent
sys.path.append(
    str(FOLDER.parent)
)  # as a script, this file does not see the folder that pytest puts on the path

from mode_facts import facts  # noqa: E402
from toys import blobs, draw, scene, volume  # noqa: E402


def _beside(clean, noisy):
    return [f"{left}   {right}" for left, right in zip(draw(clean), draw(noisy), strict=True)]


def _digest(labels):
    return hashlib.sha256(str(labels.shape).encode() + labels.tobytes()).hexdigest()


def pictures(name):
    """The golden text of a mode."""
    module = MODES.load(name)
    lines = [f"{name}, version {module.VERSION}: clean and noisy", ""]
    cases = {"scene": scene(), "volume": volume()}
    larger = {
        "96 x 128": blobs((96, 128), 1, 14, 20, ignore=True, spacing=(0.5, 0.5)),
        "12 x 40 x 50": blobs((12, 40, 50), 2, 10, 12, ignore=True, spacing=(2.5, 0.7, 0.8)),
    }
    dims = facts(name).dims
    settings = [build(module.Params, values, f"mode '{name}'") for values in facts(name).golden]
    for params in (module.EXAMPLE, *settings):
        lines += [f"== {params}", ""]
        for kind, case in cases.items():
            if case.labels.ndim not in dims:
                continue
            noisy = module.corrupt(case, params, Draws(0, "golden", kind))
            slices = [(case.labels, noisy)] if case.labels.ndim == 2 else zip(case.labels, noisy, strict=True)
            for clean, given in slices:
                lines += [*_beside(clean, given), ""]
        for kind, case in larger.items():
            if case.labels.ndim in dims:
                lines.append(f"{kind}: {_digest(module.corrupt(case, params, Draws(0, 'golden', kind)))}")
        lines.append("")
    return "\n".join(lines)


def path(name):
    """Where the golden text of a mode lies."""
    return FOLDER / f"{name.replace('-', '_')}.txt"


if __name__ == "__main__":
    for mode in MODES.names():
        text = pictures(mode)
        old = path(mode).read_text(encoding="utf-8") if path(mode).exists() else ""
        path(mode).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{mode}: {'unchanged' if text == old else 'written'}\n")
