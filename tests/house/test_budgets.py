"""The budget script measures what it says, and fails for each planted excess."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import budgets


def function(name: str, lines: int) -> str:
    """Write a typed function of exactly so many lines."""
    return f"def {name}() -> None:\n" + "    pass\n" * (lines - 1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree within all budgets, its tests half as long again as its code."""
    for package in (*budgets.PACKAGES, "tests/unit"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "a.py").write_text(function("f", 10))
    (tmp_path / "tests/unit/test_a.py").write_text("\n".join(function(f"test_{n}", 5) for n in range(6)))
    return tmp_path


def run(tree: Path, *options: str) -> int:
    return budgets.main(["--root", str(tree), *options])


def test_small_tree_passes_and_prints_a_row_for_each_package(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "--strict-ratio") == 0

    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[2:6]] == ["auditor", "probes", "reports", "tests"]
    assert out.splitlines()[2].split() == ["auditor", "1", *["10"] * 7, "0.0", "0.0", "100.0"]
    assert "tests/code 1.5" in out
    assert err == ""


@pytest.mark.parametrize(("lines", "status"), [(400, 0), (401, 1)], ids=["at the limit", "one more"])
@pytest.mark.parametrize(
    "name", ["auditor/long.py", "probes/agents/long.sh", "reports/assets/long.js", "tests/cluster/long.py"]
)
def test_file_limit(tree: Path, capsys: pytest.CaptureFixture[str], *, name: str, lines: int, status: int) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text("x = 1\n" * lines)

    assert run(tree) == status

    assert (f"{name}: 401 lines, limit 400" in capsys.readouterr().err) == bool(status)


@pytest.mark.parametrize(("lines", "status"), [(50, 0), (51, 1)], ids=["at the limit", "one more"])
def test_function_limit(tree: Path, capsys: pytest.CaptureFixture[str], *, lines: int, status: int) -> None:
    short = "".join(function(f"f{n}", 3) for n in range(20))
    (tree / "probes/long.py").write_text(short + function("endless", lines))

    assert run(tree) == status

    assert ("probes/long.py:61: endless has 51 lines, limit 50" in capsys.readouterr().err) == bool(status)


def test_method_and_nested_function_count_as_functions(tree: Path) -> None:
    body = "".join("        pass\n" for _ in range(60))
    (tree / "auditor/c.py").write_text("class C:\n    async def f(self) -> None:\n" + body)

    assert run(tree) == 1


def test_docstring_is_free(tree: Path) -> None:
    text = '    """Explain.\n' + "    More.\n" * 60 + '    """\n'
    (tree / "auditor/told.py").write_text("def f() -> None:\n" + text + "    pass\n" * 20)

    assert run(tree) == 0


def test_tenth_of_functions_too_long(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = "".join(function(f"s{n}", 3) for n in range(7))
    (tree / "reports/many.py").write_text(few + function("a", 26) + function("b", 26))

    assert run(tree) == 1
    assert "reports: a tenth of the functions exceed 25 lines (p90 26)" in capsys.readouterr().err


@pytest.mark.parametrize("tests", ["few = 1\n" * 5, "many = 1\n" * 390], ids=["too few", "too many"])
def test_ratio_warns_and_fails_only_when_strict(tree: Path, capsys: pytest.CaptureFixture[str], *, tests: str) -> None:
    (tree / "tests/unit/a.py").unlink()
    (tree / "tests/unit/test_a.py").write_text(tests)

    assert run(tree) == 0
    assert "warning: tests/code is" in capsys.readouterr().err
    assert run(tree, "--strict-ratio") == 1


def test_cluster_machinery_is_not_counted_as_tests(tree: Path) -> None:
    (tree / "tests/cluster").mkdir()
    (tree / "tests/cluster/node.py").write_text("x = 1\n" * 390)

    assert run(tree, "--strict-ratio") == 0

    (tree / "tests/cluster/test_node.py").write_text("x = 1\n" * 390)
    assert run(tree, "--strict-ratio") == 1


@pytest.mark.parametrize(
    ("signature", "typed"),
    [
        ("(a: int) -> None", True),
        ("(self, a: int) -> None", True),
        ("(a: int)", False),
        ("(a) -> None", False),
        ("(*a) -> None", False),
        ("(*, a) -> None", False),
        ("(**a: int) -> None", True),
    ],
)
def test_typed(signature: str, *, typed: bool) -> None:
    source = budgets.measure("a.py", f"def f{signature}: ...\n")

    assert typed == source.functions[0].typed


def test_comment_and_docstring_shares() -> None:
    source = budgets.measure("a.py", '"""Two\nlines."""\nx = "# not one"  # one\n"""About x."""\n')

    assert (4, 1, 3) == (source.lines, source.comments, source.docstrings)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.9, 0), ([7], 0.5, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 11)), 0.9, 9), (list(range(1, 12)), 0.9, 10)],
)
def test_quantile(values: list[int], share: float, expected: int) -> None:
    assert expected == budgets.quantile(values, share)
