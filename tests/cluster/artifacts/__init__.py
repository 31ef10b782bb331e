"""Everything that the test cluster is made of, built once from pinned sources.

``ensure(name)`` gives the path of an artifact and builds it first if it must; what there is stands in ``catalogue``.
Running any of it is the business of ``tests.cluster``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cluster.artifacts.cache import Store
from tests.cluster.artifacts.catalogue import CATALOGUE
from tests.cluster.artifacts.containerd import clone_containerd_root
from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.packages import missing_packages, requirements

__all__ = ["ArtifactError", "cache_dir", "clone_containerd_root", "ensure", "missing_packages", "requirements", "store"]


def cache_dir() -> Path:
    """Give the folder that holds what was built."""
    chosen = os.environ.get("NETAUDIT_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netaudit"


def store() -> Store:
    """Give the cache of this machine's user, which tells on standard error what it does."""
    return Store(cache_dir() / "artifacts", CATALOGUE, _tell)


def _tell(line: str) -> None:
    sys.stderr.write(f"artifacts: {line}\n")


def ensure(name: str) -> Path:
    """Give the path of an artifact, after building it if it is not there; safe under concurrent callers."""
    return store().ensure(name)
