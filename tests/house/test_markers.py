"""A test's folder decides its marker, so `make test` cannot miss a file that forgot to say what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parent.parent / "conftest.py"
PYPROJECT = CONFTEST.parent.parent / "pyproject.toml"


@pytest.fixture
def tree(pytester: pytest.Pytester) -> pytest.Pytester:
    """A checkout of nothing but our pytest configuration."""
    (pytester.path / "pyproject.toml").write_text(PYPROJECT.read_text())
    (pytester.path / "tests").mkdir()
    for name in ("conftest.py", "fresh.py"):
        (pytester.path / "tests" / name).write_text(CONFTEST.with_name(name).read_text())
    return pytester


def plant(tree: pytest.Pytester, name: str, body: str = "def test_it(): pass\n") -> None:
    path = tree.path / "tests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)


def test_folder_gives_marker_at_any_depth(tree: pytest.Pytester) -> None:
    for name in ("unit/test_a.py", "sandbox/test_b.py", "sandbox/deep/er/test_c.py", "browser/test_d.py"):
        plant(tree, name)

    result = tree.runpytest_subprocess("-m", "sandbox", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=2, deselected=2)


def test_long_tests_run_only_when_asked_for(tree: pytest.Pytester) -> None:
    plant(tree, "unit/test_a.py", "import pytest\n@pytest.mark.long\ndef test_it(): pass\ndef test_other(): pass\n")

    tree.runpytest_subprocess().assert_outcomes(passed=1, deselected=1)
    tree.runpytest_subprocess("-m", "long or not long").assert_outcomes(passed=2)


def test_unknown_marker_is_an_error(tree: pytest.Pytester) -> None:
    plant(tree, "unit/test_a.py", "import pytest\n@pytest.mark.sandboks\ndef test_it(): pass\n")

    tree.runpytest_subprocess().assert_outcomes(errors=1)


def test_files_of_one_name_may_stand_in_different_folders(tree: pytest.Pytester) -> None:
    plant(tree, "unit/model/test_flow.py")
    plant(tree, "unit/policy/test_flow.py")

    tree.runpytest_subprocess().assert_outcomes(passed=2)


LIMITS = """
import pytest

@pytest.fixture
def limit(request): return request.node.get_closest_marker("timeout").args[0]

def test_default(limit): assert limit == FOLDER
@pytest.mark.timeout(5)
def test_own(limit): assert limit == 5
@pytest.mark.long
def test_long(limit): assert limit == 10 * FOLDER
"""


@pytest.mark.parametrize(("folder", "seconds"), [("unit", 60), ("cluster", 1800)])
def test_folder_gives_a_limit_unless_the_test_has_its_own(tree: pytest.Pytester, folder: str, seconds: int) -> None:
    plant(tree, f"{folder}/test_a.py", LIMITS.replace("FOLDER", str(seconds)))

    tree.runpytest_subprocess("-m", "long or not long").assert_outcomes(passed=3)


def test_long_run_has_longer_limits(tree: pytest.Pytester) -> None:
    plant(tree, "properties/test_a.py", LIMITS.replace("FOLDER", "6000"))

    tree.runpytest_subprocess("--hypothesis-profile=long").assert_outcomes(passed=2, deselected=1)
