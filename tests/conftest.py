"""Options that every test may use."""

from pathlib import Path

import pytest


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
