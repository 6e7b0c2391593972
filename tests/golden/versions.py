"""The golden pictures under other versions of numpy and scipy: ``make versions``.

Builds one environment for each pair in ``.venv-versions/`` (a few minutes and a package index are needed the first
time) and compares there what the modes draw with the committed files; without numba, so by the twins.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAIRS = (
    ("2.0.2", "1.13.1"),
    ("2.1.3", "1.14.1"),
    ("2.2.6", "1.15.3"),
    ("2.3.5", "1.16.3"),
    ("2.4.6", "1.17.1"),
)
"""Every minor version that installs, the newest patch of each."""

COMPARE = """
from golden.write import path, pictures
from noisylabels.catalogue import MODES
from noisylabels.kernels.choice import has_numba
assert not has_numba()
wrong = [name for name in MODES.names() if pictures(name) != path(name).read_text(encoding="utf-8")]
raise SystemExit(f"differ: {', '.join(wrong)}" if wrong else 0)
"""


def same(numpy: str, scipy: str) -> bool:
    """Whether the golden files are reproduced under these versions."""
    place = ROOT / ".venv-versions" / f"numpy-{numpy}-scipy-{scipy}"
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    install = ["-m", "pip", "install", "--quiet", f"numpy=={numpy}", f"scipy=={scipy}"]
    subprocess.run([python, *install], check=True)
    found = subprocess.run(
        [python, "-c", COMPARE], cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}, check=False
    )
    sys.stdout.write(
        f"numpy {numpy}, scipy {scipy}: {'the same' if found.returncode == 0 else 'DIFFERENT'}\n"
    )
    return found.returncode == 0


if __name__ == "__main__":
    results = [same(*pair) for pair in PAIRS]  # every pair is tried, also after one that differs
    sys.exit(0 if all(results) else 1)
