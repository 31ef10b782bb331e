"""Size budgets: `python -m tests.house.budgets` prints what the tree measures and fails above the limits.

Files and functions grow one harmless line at a time; a limit makes the moment to split visible. Complexity is ruff's
business. A function's length is without its docstring, so that explaining is free.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

PACKAGES = ("auditor", "probes", "reports")
TESTS = "tests"
FILE_LINES = 400
FUNCTION_LINES = 50
FUNCTION_P90 = 25
RATIO = (1.2, 2.0)
OTHER_SOURCES = (".sh", ".go", ".js", ".css", ".j2")
"""Written by hand like the Python, so the file limit holds for them too; data files have none."""

FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef)
HEADERS = [
    *("package", "files", "lines"),
    *("file_med", "file_p90", "file_max"),
    *("fn_med", "fn_p90", "fn_max"),
    *("comment%", "docstring%", "typed%"),
]


@dataclass(frozen=True, slots=True)
class Function:
    """One function's place, length without docstring, and whether its signature is typed throughout."""

    name: str
    line: int
    lines: int
    typed: bool


@dataclass(frozen=True, slots=True)
class Source:
    """What one Python file measures."""

    path: str
    lines: int
    comments: int
    docstrings: int
    functions: tuple[Function, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One package in the table."""

    name: str
    sources: tuple[Source, ...]

    @property
    def lines(self) -> int:
        return sum(source.lines for source in self.sources)

    @property
    def functions(self) -> tuple[Function, ...]:
        return tuple(function for source in self.sources for function in source.functions)

    @property
    def function_p90(self) -> int:
        return quantile([function.lines for function in self.functions], 0.9)


def quantile(values: Iterable[int], share: float) -> int:
    """Take the smallest value that at least this share of the values does not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)] if ordered else 0


def docstring_lines(node: ast.AST) -> int:
    """Count the lines of a node's docstring."""
    body = getattr(node, "body", None)
    if not isinstance(body, list) or not body or not is_text(body[0]):
        return 0
    return span(body[0])


def is_text(node: ast.stmt) -> bool:
    """Tell a docstring, a field's docstring included, from other statements."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def span(node: ast.stmt | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines from a node's first to its last."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def is_typed(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether the return value and each parameter but self and cls have a type."""
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    parameters += [extra for extra in (node.args.vararg, node.args.kwarg) if extra]
    untyped = [parameter.arg for parameter in parameters if parameter.annotation is None]
    return node.returns is not None and not set(untyped) - {"self", "cls"}


def measure(path: str, text: str) -> Source:
    """Measure one Python file."""
    nodes = list(ast.walk(ast.parse(text, path)))
    functions = [node for node in nodes if isinstance(node, FUNCTION_NODES)]
    return Source(
        path=path,
        lines=len(text.splitlines()),
        comments=sum(1 for token in tokens(text) if token.type == tokenize.COMMENT),
        docstrings=sum(span(node) for node in nodes if isinstance(node, ast.stmt) and is_text(node)),
        functions=tuple(
            Function(node.name, node.lineno, span(node) - docstring_lines(node), is_typed(node)) for node in functions
        ),
    )


def tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Split a file into tokens."""
    return tokenize.generate_tokens(io.StringIO(text).readline)


def read(root: Path, package: str) -> Row:
    """Measure every Python file of a package."""
    paths = sorted((root / package).rglob("*.py"))
    return Row(package, tuple(measure(str(path.relative_to(root)), path.read_text()) for path in paths))


def is_test(path: str) -> bool:
    """Tell tests, and what they are written with, from the machinery that brings up clusters and the benchmarks."""
    parts = Path(path).parts
    machinery = parts[:2] in ((TESTS, "cluster"), (TESTS, "bench")) or parts == (TESTS, "demo.py")
    return not machinery or Path(path).name.startswith("test_")


def ratio(rows: Sequence[Row]) -> float:
    """Divide the lines of tests by the lines of code; 0 when there is no code."""
    code = sum(row.lines for row in rows if row.name != TESTS)
    tests = sum(source.lines for row in rows if row.name == TESTS for source in row.sources if is_test(source.path))
    return tests / code if code else 0.0


def excesses(rows: Sequence[Row], root: Path) -> list[str]:
    """Name everything above its limit."""
    found = []
    for row in rows:
        found += [too_long(source.path, source.lines) for source in row.sources if source.lines > FILE_LINES]
        found += [
            f"{source.path}:{function.line}: {function.name} has {function.lines} lines, limit {FUNCTION_LINES}"
            for source in row.sources
            for function in source.functions
            if function.lines > FUNCTION_LINES
        ]
        if row.function_p90 > FUNCTION_P90:
            found.append(f"{row.name}: a tenth of the functions exceed {FUNCTION_P90} lines (p90 {row.function_p90})")
        found += other_excesses(root, row.name)
    return found


def other_excesses(root: Path, package: str) -> list[str]:
    """Name the scripts, styles and templates above the limit for a file."""
    paths = (path for path in sorted((root / package).rglob("*")) if path.suffix in OTHER_SOURCES)
    counts = ((str(path.relative_to(root)), len(path.read_text().splitlines())) for path in paths)
    return [too_long(path, lines) for path, lines in counts if lines > FILE_LINES]


def too_long(path: str, lines: int) -> str:
    """Say that a file is too long."""
    return f"{path}: {lines} lines, limit {FILE_LINES}"


def cells(row: Row) -> list[object]:
    """Lay out one package as a line of the table."""
    files = [source.lines for source in row.sources]
    functions = [function.lines for function in row.functions]
    return [
        *(row.name, len(files), row.lines),
        *(quantile(files, 0.5), quantile(files, 0.9), max(files, default=0)),
        *(quantile(functions, 0.5), row.function_p90, max(functions, default=0)),
        percent(sum(source.comments for source in row.sources), row.lines),
        percent(sum(source.docstrings for source in row.sources), row.lines),
        percent(sum(function.typed for function in row.functions), len(functions)),
    ]


def percent(part: int, whole: int) -> str:
    """Write a share with one decimal; of nothing, a dash."""
    return f"{100 * part / whole:.1f}" if whole else "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 when something is above its limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.budgets", description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: here)")
    parser.add_argument("--strict-ratio", action="store_true", help="fail on tests/code as well")
    options = parser.parse_args(arguments)
    rows = [read(options.root, name) for name in (*PACKAGES, TESTS)]
    print(tabulate([cells(row) for row in rows], HEADERS, disable_numparse=True, stralign="right"))
    found = excesses(rows, options.root)
    low, high = RATIO
    print(
        f"tests/code {ratio(rows):.2f} (aim {low}-{high}; without tests/cluster's machinery, tests/bench, tests/demo)"
    )
    if not low <= ratio(rows) <= high:
        message = f"tests/code is {ratio(rows):.2f}, not within {low}-{high}"
        found += [message] if options.strict_ratio else []
        print(f"warning: {message}", file=sys.stderr)
    for line in found:
        print(f"over budget: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
