"""Kubeconfigs of service accounts, so that a command has just the rights that roles give it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.cluster import Cluster

HOURS = "6h"
"""How long a token holds: longer than any table of runs."""


def as_account(cluster: Cluster, folder: Path, home: str = "netaudit", name: str = "netaudit") -> Path:
    """Write a kubeconfig for a service account; netaudit's own where no other is named."""
    token = cluster.kubectl("create", "token", "-n", home, name, f"--duration={HOURS}").stdout.strip()
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    file = folder / "kubeconfig"
    file.write_text(json.dumps(config))
    return file
