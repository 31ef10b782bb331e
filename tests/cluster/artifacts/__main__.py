"""``python -m tests.cluster.artifacts``: build artifacts ahead of time, list them, install what the builds need.

Nothing but the command line; each subcommand is one call.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.cluster.artifacts import programs, store
from tests.cluster.artifacts.catalogue import CATALOGUE
from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.packages import go_version, install_packages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 when it did what it should, 1 when not."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "build":
                _build(options.names or list(CATALOGUE))
            case "list":
                _list()
            case "prune":
                print(f"removed {store().drop_others()} builds")
            case "install-packages":
                _install()
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _build(names: Sequence[str]) -> None:
    """Build one after the other: each build uses all processors by itself."""
    cache = store()
    for name in names:
        started = time.monotonic()
        state = "built" if cache.find(name) is None else "cached"
        cache.ensure(name)
        print(f"{name:24} {state:6} {time.monotonic() - started:7.1f} s", flush=True)


def _install() -> None:
    installed = install_packages()
    print(f"installed: {' '.join(installed)}" if installed else "no Debian package is missing")
    cache = store()
    # Debian 12 has no Go that is new enough, so it cannot be installed here; without need for it, it is not missed.
    if any(cache.find(artifact.name) is None for artifact in programs.ARTIFACTS):
        print(f"Go: {go_version()}")


def _list() -> None:
    cache = store()
    for name in CATALOGUE:
        print(f"{name:24} {cache.find(name) or 'not built'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.artifacts", description="what a test cluster needs")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build artifacts that are not in the cache")
    build.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    commands.add_parser("list", help="list all artifacts and where they lie")
    commands.add_parser("prune", help="remove what other states of the sources have led to")
    commands.add_parser("install-packages", help="install the Debian packages that builds and cluster need")
    return parser


if __name__ == "__main__":
    sys.exit(main())
