"""What every test gets: its folder's marker and time limit, and the size of generated runs."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

FOLDER_MARKERS = ("properties", "sandbox", "cluster", "browser")
"""Folders whose tests carry a marker of the same name, so that no file can forget it."""

FOLDER_TIMEOUTS = {"properties": 600, "sandbox": 300, "cluster": 1800, "browser": 300}
"""Seconds for one test with its fixtures, where the default of pyproject.toml is too short: a first build of a cluster
happens inside a fixture."""

# Deadlines measure the machine, not the code, and a shared machine is slow at times.
_UNTIMED = (HealthCheck.too_slow,)
settings.register_profile("quick", max_examples=25, deadline=None, suppress_health_check=_UNTIMED)
settings.register_profile("ci", max_examples=200, deadline=None, suppress_health_check=_UNTIMED, print_blob=True)
settings.register_profile("long", max_examples=5_000, deadline=None, suppress_health_check=_UNTIMED, print_blob=True)
settings.load_profile("quick")  # the Makefile asks for the others with --hypothesis-profile


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = _folder(item.path)
        if folder in FOLDER_MARKERS:
            item.add_marker(folder)
        if folder in FOLDER_TIMEOUTS and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FOLDER_TIMEOUTS[folder]))


def _folder(path: Path) -> str:
    """Name the folder of tests/ that a test file lies in, however deep."""
    return path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
