"""`make demo-cluster`: the guides' examples on a real cluster that enforces nothing, audited as a user would do it.

Starts a test cluster, deploys, runs `netaudit run`, leaves the reports in netaudit-demo/, and takes the cluster down.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.cluster import Cluster, start
from tests.cluster.errors import ClusterError
from tests.cluster.spec import make_spec

CASES = Path(__file__).parent.parent / "auditor" / "guides"
EXAMPLES = ("staging", "three-tier")
NAMESPACES = ("staging", "admin", "three-tier", "monitoring")
FOLDER = Path("netaudit-demo")
EXPECTED = {"none": 3, "cilium": 0}
SETTLE = 10


def main() -> int:
    """Run the demo; 0 when the audit said what is true of the engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--engine", choices=sorted(EXPECTED), default="none", help="who enforces policy: nobody, or Cilium"
    )
    parser.add_argument("--name", default="demo", help="name of the cluster while it stands")
    flags = parser.parse_args()
    try:
        cluster = start(make_spec(flags.name, engine=flags.engine, nodes=2))
    except ClusterError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        deploy(cluster)
        code = audit(cluster)
    finally:
        cluster.down()
    tell(flags.engine, code)
    return 0 if code == EXPECTED[flags.engine] else 1


def deploy(cluster: Cluster) -> None:
    """Apply the examples of the guides and wait until their pods are ready."""
    for example in EXAMPLES:
        cluster.kubectl("apply", "-f", str(CASES / f"{example}.yaml"))
    for namespace in NAMESPACES:
        cluster.kubectl(
            "wait", "-n", namespace, "--for=condition=Ready", "pods", "--all", "--timeout=120s", timeout=150
        )


def audit(cluster: Cluster) -> int:
    """Run `netaudit run` on the cluster: the table on stdout, the page and the document in the folder."""
    FOLDER.mkdir(exist_ok=True)
    outputs = ["-o", "table", "-o", f"html={FOLDER / 'index.html'}", "-o", f"json={FOLDER / 'report.json'}"]
    command = [sys.executable, "-m", "auditor", "run", "--settle", str(SETTLE), *outputs]
    return subprocess.run(command, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}, check=False).returncode


def tell(engine: str, code: int) -> None:
    """Say what was just seen and what to try next."""
    who = "nobody enforces policy" if engine == "none" else "Cilium enforces policy"
    lines = [
        "",
        f"That was a real Kubernetes cluster of two nodes on which {who}; netaudit ended with exit code {code}.",
        f"Surprises were tried again for {SETTLE} s; on your cluster the default is 45 s.",
        "",
        f"  open {FOLDER / 'index.html'}            the same as a page",
        "  make demo-cluster ENGINE=cilium         the same workloads where policy is enforced",
        "  .venv/bin/netaudit run --dry-run        your own cluster: what would be made and tried",
        "",
    ]
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
