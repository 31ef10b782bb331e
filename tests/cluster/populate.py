"""The objects of a made-up cluster into an API server that nothing else watches, as if kubelets ran them.

Pods get status and addresses through their subresource.  Without a controller manager nobody collects or evicts them,
and the service accounts that it would make are made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from auditor.ports import RawSnapshot
from tests.bench.manifests import full_status, planned_metadata, planned_spec
from tests.cluster.api import Api
from tests.cluster.bulk import Request, send

Jobs = Iterator[Sequence[Request]]
EXISTING = ("kube-system",)
CORE = "/api/v1"
POLICIES = "/apis/networking.k8s.io/v1"


def populate(api: Api, raw: RawSnapshot) -> int:
    """Create namespaces and nodes, then pods and policies; give the number of requests."""
    first = send(api, [*namespaces(raw), *nodes(raw)])
    return first + send(api, [*pods(raw), *policies(raw)])


def namespaces(raw: RawSnapshot) -> Jobs:
    for item in raw.objects["namespaces"]:
        metadata = {"name": item["metadata"]["name"], "labels": item["metadata"]["labels"]}
        account = Request("POST", f"{CORE}/namespaces/{metadata['name']}/serviceaccounts", named("default"))
        make = Request("POST", f"{CORE}/namespaces", {"metadata": metadata})
        change = Request("PUT", f"{CORE}/namespaces/{metadata['name']}", {"metadata": metadata})
        yield [change if metadata["name"] in EXISTING else make, account]


def nodes(raw: RawSnapshot) -> Jobs:
    for item in raw.objects["nodes"]:
        body = {"metadata": {"name": item["metadata"]["name"], "labels": item["metadata"]["labels"]}}
        whole = {**body, "status": item["status"]}
        path = f"{CORE}/nodes"
        yield [Request("POST", path, body), Request("PUT", f"{path}/{item['metadata']['name']}/status", whole)]


def pods(raw: RawSnapshot) -> Jobs:
    for item in raw.objects["pods"]:
        body = {"metadata": planned_metadata(item), "spec": planned_spec(item)}
        path = f"{CORE}/namespaces/{item['metadata']['namespace']}/pods"
        whole = {**body, "status": full_status(item, item["metadata"]["name"])}
        yield [Request("POST", path, body), Request("PUT", f"{path}/{item['metadata']['name']}/status", whole)]


def policies(raw: RawSnapshot) -> Jobs:
    for item in raw.objects["networkpolicies"]:
        metadata = {key: item["metadata"][key] for key in ("name", "namespace")}
        path = f"{POLICIES}/namespaces/{metadata['namespace']}/networkpolicies"
        yield [Request("POST", path, {"metadata": metadata, "spec": item["spec"]})]


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}
