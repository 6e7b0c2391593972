"""``make interop``: an environment with nnU-Net and MONAI in ``.venv-interop``, and what they make of our datasets.

torch comes first and pinned, and nnU-Net without its dependencies' dependencies: what it needs for planning and
preprocessing is listed here, so that nothing pulls another torch.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".venv-interop"

PLAIN = (
    *("monai", "nibabel", "SimpleITK", "pillow", "scikit-image", "scikit-learn", "pandas", "blosc2", "tqdm"),
    *("requests", "matplotlib", "seaborn", "graphviz", "tifffile", "einops", "yacs", "dicom2nifti", "click"),
)
ALONE = (
    *("nnunetv2", "batchgenerators", "batchgeneratorsv2", "acvl-utils", "dynamic-network-architectures"),
    *("fft-conv-pytorch", "unittest2"),
)


def main() -> int:
    """Build the environment if need be, and run the checks in it."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", PLACE], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
        subprocess.run([*install, "torch"], check=True)
        subprocess.run([*install, *PLAIN], check=True)
        subprocess.run([*install, "--no-deps", *ALONE], check=True)
        subprocess.run([*install, "--no-deps", "--editable", ROOT], check=True)
        (PLACE / "ready").touch()
    return subprocess.run([python, ROOT / "tests" / "interop" / "check.py"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
