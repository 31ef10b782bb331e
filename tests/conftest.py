"""What every test gets: its folder's marker and time limit, and the size of generated runs."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fresh import FRESH

HERE = Path(__file__).parent

FOLDER_MARKERS = ("properties", "sandbox", "cluster", "browser")
"""Folders whose tests carry a marker of the same name, so that no file can forget it."""

DEFAULT_TIMEOUT = 60
FOLDER_TIMEOUTS = {"properties": 600, "sandbox": 300, "cluster": 1800, "browser": 300}
"""Seconds for one test with its fixtures; a first build of a cluster happens inside a fixture."""

LONG_FACTOR = 10
"""How much longer everything may take under `make test-long`, and under the marker that keeps a test for it."""

# Deadlines measure the machine, not the code, and a shared machine is slow at times.
settings.register_profile("base", deadline=None, suppress_health_check=(HealthCheck.too_slow,), backend=FRESH)
_BASE = settings.get_profile("base")
settings.register_profile("quick", _BASE, max_examples=25)
settings.register_profile("ci", _BASE, max_examples=25, print_blob=True)
settings.register_profile("long", _BASE, max_examples=1_000, print_blob=True)
settings.load_profile("quick")  # the Makefile asks for the others with --hypothesis-profile


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = _folder(item.path)
        if folder in FOLDER_MARKERS:
            item.add_marker(folder)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_seconds(item, folder)))


def _seconds(item: pytest.Item, folder: str) -> int:
    """Give one test its time: its folder's, more for what is long."""
    long = item.get_closest_marker("long") is not None or settings.get_current_profile_name() == "long"
    return FOLDER_TIMEOUTS.get(folder, DEFAULT_TIMEOUT) * (LONG_FACTOR if long else 1)


def _folder(path: Path) -> str:
    """Name the folder of tests/ that a test file lies in, however deep."""
    return path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
