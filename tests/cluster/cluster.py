"""A running cluster as tests and the command line handle it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import lifecycle, provision, state
from tests.cluster.errors import ClusterError
from tests.cluster.spec import ClusterSpec
from tests.cluster.state import Record


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster; one that was given from outside has a kubeconfig and nothing else."""

    name: str
    kubeconfig: Path
    nodes: tuple[str, ...]
    audit_log: Path | None = None
    """The API server's, one JSON object per line; None when the cluster was given from outside."""

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator."""
        done = subprocess.run(
            ["kubectl", *arguments],
            executable=provision.kube(),
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            timeout=timeout,
            env=self.environment(),
        )
        if check and done.returncode:
            why = f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}"
            raise ClusterError(
                f"kubectl {' '.join(arguments)[:300]} failed", why, f"KUBECONFIG={self.kubeconfig} kubectl get all -A"
            )
        return done

    def environment(self) -> dict[str, str]:
        """What kubectl is started with; what it remembers of a cluster of ours goes with the cluster."""
        cache = {"KUBECACHEDIR": str(self.kubeconfig.parent / "kubectl")} if self.audit_log else {}
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), **cache}

    def exec(
        self, namespace: str, pod: str, *command: str, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a pod."""
        return self.kubectl("exec", "-n", namespace, pod, "--", *command, check=check, timeout=timeout)

    def on_machine(self, machine: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on a node (`n1`...), the control plane (`cp`) or the outside host (`ext`)."""
        return self.record().machine(machine).run(*command, check=check)

    def record(self) -> Record:
        """What is known of a cluster that was started here."""
        return record_of(self.name)

    def down(self) -> None:
        """Leave nothing of it."""
        lifecycle.down(self.name)


def record_of(name: str) -> Record:
    """The record of a running cluster."""
    record = state.load(name)
    if record is None:
        there = ", ".join(state.names()) or "none at all"
        raise ClusterError(
            f"there is no cluster {name}", f"{state.state_root()} has {there}", "python -m tests.cluster list"
        )
    return record


def start(spec: ClusterSpec) -> Cluster:
    """Bring a cluster up."""
    return of_record(lifecycle.up(spec))


def of_record(record: Record) -> Cluster:
    """The handle of a running cluster."""
    names = tuple(node.name for node in record.spec.nodes)
    return Cluster(record.spec.name, record.kubeconfig, names, record.audit_log)


def existing(name: str) -> Cluster:
    """The handle of a cluster that somebody started before."""
    return of_record(record_of(name))


def given(kubeconfig: Path) -> Cluster:
    """A cluster from outside."""
    nodes = Cluster("given", kubeconfig, ()).kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
    return Cluster("given", kubeconfig, tuple(nodes.stdout.split()))
