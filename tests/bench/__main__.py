"""`python -m tests.bench [NAME...]`: print figures. Slowness never fails; only what does not run at all does."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from tabulate import tabulate

from tests.bench import BENCHES, NOT_EVERYWHERE
from tests.bench.figures import Figure

HEADERS = ("work", "value", "unit", "target", "x target", "cpu", "x yardstick", "naive takes")
FORMATS = ("", ".3g", "", "g", ".2f", ".3g", ".2f", "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benches asked for, all by default; return 1 when one could not run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="speed and size figures")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHES)} (default: all)")
    names = parser.parse_args(arguments).names
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}")
    results = [run(name) for name in names or possible()]
    rows = [row(figure) for figures, _ in results for figure in figures]
    print(tabulate(rows, HEADERS, floatfmt=FORMATS))
    failures = [failure for _, failure in results if failure]
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def possible() -> list[str]:
    """Every bench that this machine can bear; the others are named."""
    reasons = {name: why_not() for name, why_not in NOT_EVERYWHERE.items() if name in BENCHES}
    for name, reason in reasons.items():
        if reason:
            print(f"left out: {name}: {reason}", file=sys.stderr)
    return [name for name in BENCHES if not reasons.get(name)]


def run(name: str) -> tuple[list[Figure], str]:
    """Collect one bench's figures; where it breaks off, those it gave so far and why."""
    figures: list[Figure] = []
    try:
        figures.extend(BENCHES[name]())
    except subprocess.CalledProcessError as error:
        return figures, f"bench {name}: {error}: {error.stderr.decode(errors='replace').strip()}"
    except Exception as error:  # noqa: BLE001  # one broken bench must not hide the figures of the others
        return figures, f"bench {name}: {error!r}"
    return figures, ""


def row(figure: Figure) -> tuple[object, ...]:
    slower = f"{figure.naive:,.0f} x" if figure.naive else ""
    return (figure.work, figure.value, figure.unit, figure.target, figure.part, figure.cpu, figure.ratio, slower)


if __name__ == "__main__":
    sys.exit(main())
