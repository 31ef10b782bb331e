"""Debian's build of iputils' ping, which asks by a datagram socket of ICMP where it may: what netshoot has.

It is taken out of its package, without the capability that its installation would give it.
"""

from __future__ import annotations

from pathlib import Path

from tests.cluster.artifacts import debian
from tests.cluster.artifacts.cache import Artifact, Job

CODE = (Path(__file__), Path(debian.__file__))


def _take(job: Job) -> None:
    # What it needs (libcap, libidn2) is on any Debian, for iproute2 and apt need it too.
    debian.fetch_packages(["iputils-ping"], job.target)


ARTIFACTS = (Artifact("iputils-ping", _take, result="bin/ping", code=CODE),)
