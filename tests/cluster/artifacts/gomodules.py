"""Compile Go packages, and find the sources of Go modules, that are pinned by content in ``tests/cluster/go``.

How to build, not what: the programs are listed elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError

SOURCES = Path(__file__).parents[1] / "go"
REMEDY = "install Go 1.25 or newer (any since 1.21 fetches it when GOTOOLCHAIN=auto is set) and put it on the PATH"
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
# No flags from outside, which could undo the pins.
ENVIRONMENT = {"GOFLAGS": "", "GOWORK": "off"}


def go_build(module: str, package: str, out: Path, variables: Mapping[str, str], tags: str = "") -> None:
    """Compile one package of a pinned module into one static program, with these string variables set."""
    go = require("go", REMEDY)
    linker = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in variables.items())])
    run(
        [go, "build", *FLAGS, f"-tags={tags}", f"-ldflags={linker}", "-o", out, package],
        doing=f"compile {package}",
        remedy=f"read the output above; {REMEDY}; modules come from GOPROXY",
        cwd=SOURCES / module,
        # Without C, so that the program is static and runs in any image.
        env={**ENVIRONMENT, "CGO_ENABLED": "0"},
    )


def module_folder(module: str, path: str) -> Path:
    """Give the folder of a pinned module's sources, after fetching them."""
    go = require("go", REMEDY)
    remedy = f"{REMEDY}; modules come from GOPROXY"
    # Fetched first, so that what is said about it does not mix with the answer.
    run([go, "mod", "download", path], doing=f"fetch {path}", remedy=remedy, cwd=SOURCES / module, env=ENVIRONMENT)
    listed = run(
        [go, "list", "-mod=readonly", "-m", "-json", path],
        doing=f"find {path}",
        remedy=remedy,
        cwd=SOURCES / module,
        env=ENVIRONMENT,
    )
    return Path(json.loads(listed)["Dir"])


def pinned_version(module: str, path: str) -> str:
    """Read a module's version from go.mod, without its v."""
    file = SOURCES / module / "go.mod"
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(path)} v(\S+)", file.read_text(), re.MULTILINE)
    if found is None:
        raise ArtifactError(f"cannot tell the version of {path}", f"{file} does not require it", "mend that go.mod")
    return found[1]
