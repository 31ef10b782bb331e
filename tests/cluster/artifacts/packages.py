"""The Debian packages that the builds and the cluster need, installing them, and whether Go is new enough.

What goes into the images is not listed here: images are made of packages that this machine need not have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.gomodules import REMEDY, SOURCES

OLDEST_GO = 21
"""Go 1.N: before that it neither asks for a newer one nor fetches it, but fails on sources it does not understand."""

BUILD = ("dpkg-dev", "gcc", "libc6-dev", "linux-libc-dev", "make", "mmdebstrap", "musl-tools")
CLUSTER = (
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "etcd-server",
    "iproute2",
    "ipset",
    "iptables",
    "nftables",
    "openssl",
    "procps",
    "runc",
    "socat",
    "util-linux",
)


def requirements() -> list[str]:
    """Name the Debian packages that the builds and a running cluster need."""
    return sorted({*BUILD, *CLUSTER})


def missing_packages() -> list[str]:
    """Name the required packages that are not installed."""
    if shutil.which("dpkg-query") is None:
        return requirements()
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *requirements()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it names what it does not know there, which is the answer, not a failure
        text=True,
        check=False,
    ).stdout
    installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [package for package in requirements() if package not in installed]


def install_packages() -> list[str]:
    """Install what is missing when we may, and say what is missing when we may not."""
    missing = missing_packages()
    if not missing:
        return []
    command = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise ArtifactError("cannot install packages", "this system has no apt-get", f"on Debian 12: {command}")
    if os.geteuid() != 0:
        raise ArtifactError("cannot install packages", f"not root, and these are missing: {' '.join(missing)}", command)
    wait = "DPkg::Lock::Timeout=600"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-o", wait, "update", "-qq"], doing="read the package lists", env=environment)
    run(
        ["apt-get", "-o", wait, "install", "-y", "-qq", "--no-install-recommends", *missing],
        doing="install packages",
        remedy=command,
        env=environment,
    )
    return missing


def go_version() -> str:
    """Tell which Go will compile, or what is wrong with the one that is there."""
    go = require("go", REMEDY)
    # Asked beside a pinned module, a Go that is too old for it says so, or fetches one that is not.
    version = run([go, "env", "GOVERSION"], doing="use this Go", remedy=REMEDY, cwd=SOURCES / "kube").strip()
    found = re.search(r"^go1\.(\d+).*$", version, re.MULTILINE)
    if found is None or int(found[1]) < OLDEST_GO:
        raise ArtifactError("cannot use this Go", f"it is {version or 'of no known version'}", REMEDY)
    return found[0]
