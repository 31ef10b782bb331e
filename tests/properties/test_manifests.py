"""Whatever is done to a file of manifests, reading it ends in a snapshot and complete messages."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from auditor.cluster.saved import read_files
from auditor.errors import UsageError
from auditor.model.cluster import Snapshot
from auditor.model.problem import Problem
from tests.builders import Raw, block, named, namespace, namespaces, pod, pods, policy, port, service, tcp
from tests.strategies.mutations import junk, mutated
from tests.strategies.rules import policy_specs

GOOD = {"apiVersion": "v1", **pod("shop/good", app="good")}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "ports": [port(80)]}]}}


def written(api_version: str, item: Raw) -> Raw:
    """An object as a person writes it, without what a server adds."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in {"uid", "resourceVersion"}}
    return {"apiVersion": api_version, **item, "metadata": metadata}


RULE = {"peers": [namespaces(team="a") | pods(app="web"), block("10.0.0.0/8", "10.1.0.0/16")], "ports": [tcp(80, 90)]}
MANIFESTS: list[Raw] = [
    written("v1", namespace("shop", team="a")),
    written("v1", pod("shop/web", ports=[port(80, "http")], app="web")),
    written("v1", service("shop/web", app="web")),
    written("networking.k8s.io/v1", policy("shop/p", ingress=[RULE], egress=[{}], types=["Ingress", "Egress"])),
    {
        **written("apps/v1", named("Deployment", "shop/web")),
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
    },
    {**written("batch/v1", named("CronJob", "shop/cron")), "spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}},
    {**written("extensions/v1beta1", named("NetworkPolicy", "shop/old")), "spec": {"ingress": [{}]}},
    {**written("cilium.io/v2", named("CiliumNetworkPolicy", "shop/c")), "spec": {"endpointSelector": {}}},
]


def survives(data: bytes) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Read it beside a good file, which a pod must come of; every problem is complete and its line is there."""
    snapshot, problems = read_files(["-"], lambda: data)
    lines = data.count(b"\n") + 1
    for problem in problems:
        assert problem.what
        assert problem.why
        assert problem.attempt
        assert problem.line is None or 1 <= problem.line <= lines
    return snapshot, problems


def texts(items: list[Any]) -> list[bytes]:
    """The same objects in each form in which they may come."""
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    return [
        json.dumps(listed).encode(),
        json.dumps(listed, indent=2).encode(),
        yaml.safe_dump(listed).encode(),
        yaml.safe_dump_all(items).encode(),
        yaml.safe_dump_all(items, default_flow_style=True, explicit_start=True).replace("\n", "\r\n").encode(),
    ]


def in_yaml(value: Any) -> Any:
    """The value with numbers as YAML has them: without a fraction that is nothing."""
    if isinstance(value, dict):
        return {key: in_yaml(item) for key, item in value.items()}
    if isinstance(value, list):
        return [in_yaml(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def placeless(snapshot: Snapshot) -> Snapshot:
    """What was left out, wherever in a file it stood."""
    return replace(snapshot, lost=tuple(sorted(unlined(tuple(snapshot.lost)), key=str)))


def unlined(problems: tuple[Problem, ...]) -> set[Problem]:
    return {replace(one, line=None) for one in problems}


@given(st.sampled_from(MANIFESTS).flatmap(mutated).map(in_yaml))
def test_mutated_manifest(item: Any) -> None:
    """One field deleted, nulled or swapped: the pod beside it is read, and every form says the same."""
    found = [survives(text) for text in texts([GOOD, item])]

    assert all("good" in [one.name for one in snapshot.pods] for snapshot, _ in found)
    if isinstance(item, dict) and item:  # a document that is empty is none, in a list it is an item
        assert all(placeless(snapshot) == placeless(found[0][0]) for snapshot, _ in found)
        assert all(unlined(problems) == unlined(found[0][1]) for _, problems in found)


@given(st.lists(junk, max_size=4))
def test_lists_of_anything(items: list[Any]) -> None:
    for text in texts([GOOD, *items]):
        assert [one.name for one in survives(text)[0].pods] == ["good"]


@given(st.data())
def test_damaged_text(data: st.DataObject) -> None:
    """Bytes cut off, taken out, put in or exchanged anywhere."""
    text = data.draw(st.sampled_from(texts(MANIFESTS)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.one_of(st.integers(start, min(start + 9, len(text))), st.just(len(text))))
    put = data.draw(
        st.one_of(st.binary(max_size=4), st.sampled_from([b"\n---\n", b"\t", b"{", b"]", b"&a ", b"*a", b": "]))
    )
    with suppress(UsageError):  # nothing at all is left
        survives(text[:start] + put + text[end:])


@given(policy_specs)
def test_what_the_strategies_make_is_taken(spec: Raw) -> None:
    """Valid policies are refused nowhere."""
    manifest = {**written("networking.k8s.io/v1", named("NetworkPolicy", "shop/p")), "spec": spec}
    snapshot, problems = survives(json.dumps(manifest).encode())

    assert [one.name for one in snapshot.policies] == ["p"]
    assert [one for one in problems if one.object] == []
