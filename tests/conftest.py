"""Options that every test may use."""

import os
from pathlib import Path

import pytest

# Toy tensors gain nothing from threads, and several test processes with all cores each are many times slower. Before
# torch or numpy is imported here, and for the commands that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser):
    parser.addoption(
        "--real-data",
        type=Path,
        metavar="DIR",
        help="folder of real raw data; without it their tests are skipped",
    )


@pytest.fixture(scope="session")
def real_data(pytestconfig):
    """The folder of real raw data; a test that asks for it is skipped where there is none."""
    folder = pytestconfig.getoption("real_data")
    if folder is None:
        pytest.skip("needs --real-data DIR")
    return folder.resolve()
