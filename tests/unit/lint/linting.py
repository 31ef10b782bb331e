"""Clusters for lint's tests, and what is found in them.

A cluster has a namespace `shop` with a web, an api and a db pod, all of which declare their ports, and the pods of DNS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from auditor.lint import LINTS, lint
from auditor.model.cluster import Snapshot
from auditor.model.lint import LintFinding
from tests.builders import Raw, allow, named, namespaces, pod, pods, port, snapshot, tcp, udp

WEB = pod("shop/web-1", ports=[port(8080, "http"), port(9090, "metrics")], app="web")
API = pod("shop/api-1", ports=[port(8000, "http")], app="api")
DB = pod("shop/db-1", ports=[port(3306, "mysql")], app="db")
OF_DNS: dict[str, Any] = {"k8s-app": "kube-dns"}
DNS = pod("kube-system/dns-1", ports=[port(53, "dns", "UDP"), port(53, "dns-tcp")], **OF_DNS)
SHOP = (WEB, API, DB, DNS)
TO_DNS = allow(
    namespaces(**{"kubernetes.io/metadata.name": "kube-system"}) | pods(**OF_DNS),
    ports=[udp(53), tcp(53)],
)


def service(where: str, *ports: Raw, at: str = "", **selects: str) -> Raw:
    """A Service of ports such as `{"port": 80, "targetPort": "http"}`."""
    spec: Raw = {"selector": selects, "ports": list(ports)}
    return {**named("Service", where), "spec": spec | ({"clusterIP": at} if at else {})}


def found(rule: str, *objects: Raw, whole: bool = True) -> tuple[LintFinding, ...]:
    """What a rule finds in a cluster, or, where it is not `whole`, in manifests."""
    return found_in(rule, snapshot(*objects) if whole else manifests(*objects))


def found_in(rule: str, cluster: Snapshot) -> tuple[LintFinding, ...]:
    (chosen,) = [item for item in LINTS if item.id == rule]
    return lint(cluster, lints=(chosen,))


def manifests(*objects: Raw) -> Snapshot:
    """The same objects as files hold them: of no cluster."""
    return replace(snapshot(*objects), cluster_uid="")


def one(rule: str, *objects: Raw, whole: bool = True) -> LintFinding:
    """The only thing that a rule finds."""
    (finding,) = found(rule, *objects, whole=whole)
    return finding


def places(findings: Sequence[LintFinding]) -> list[tuple[str, str]]:
    """Object and path of each."""
    return [(f"{item.object.namespace}/{item.object.name}", item.path) for item in findings]


def on_host(where: str, **more: Any) -> Raw:
    """A pod on its node's network."""
    return pod(where, spec={"hostNetwork": True}, **more)
