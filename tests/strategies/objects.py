"""Pods, policies and whole clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from tests.builders import Raw, named, namespace, node
from tests.strategies.ordered import ordered_policies
from tests.strategies.parts import HOMES, NAMES, NODES, UNIQUE, container_ports, labels
from tests.strategies.rules import policy_specs

PHASES = ("Running",) * 8 + ("Pending", "Succeeded", "Failed")
FAMILIES = ("4", "46", "64", "4", "6", "")
"""Address families of a pod, the primary one first."""


def own_addresses(number: int, families: str) -> list[Raw]:
    both = {"4": f"10.{number % 2}.2.{number}", "6": f"fd00:{number % 2}::{number}"}
    return [{"ip": both[family]} for family in families]


def _containers(ports: list[Raw]) -> list[Raw]:
    return [{"name": f"c{number}", "ports": [item]} for number, item in enumerate(ports)]


def _homed(kind: str, home: str, name: str, **more: object) -> Raw:
    """An object of a namespace; what is in `default` does not say so."""
    return named(kind, name if home == "default" else f"{home}/{name}", **more)


@st.composite
def pods(draw: st.DrawFn, number: int, *, planned: bool = False) -> Raw:
    """A pod; one in some has finished, has no address, or shares the host's network."""
    worn = draw(labels) | draw(st.sampled_from(({}, {UNIQUE: f"pod-{number}"})))
    owner = {"kind": "StatefulSet", "name": f"set-{number % 4}", "controller": True}
    made = _homed("Pod", draw(st.sampled_from(HOMES)), f"pod-{number}", labels=worn, ownerReferences=[owner])
    spec: Raw = {"containers": _containers(draw(st.lists(container_ports, max_size=2)))}
    spec["initContainers"] = [
        {"name": "init", "restartPolicy": draw(st.sampled_from(("Always", None))), "ports": [item]}
        for item in draw(st.lists(container_ports, max_size=2))
    ]
    spec["hostNetwork"] = draw(st.sampled_from((False,) * 6 + (True,)))
    spec["nodeName"] = draw(st.sampled_from((*NODES, *(("",) if planned else ()))))
    if planned:
        return {**made, "spec": spec}
    return {**made, "spec": spec, "status": draw(_status(number + 1, spec))}


@st.composite
def _status(draw: st.DrawFn, number: int, spec: Raw) -> Raw:
    phase, families = draw(st.sampled_from(PHASES)), draw(st.sampled_from(FAMILIES))
    if spec["hostNetwork"]:
        first, second, *_ = NODES[spec["nodeName"]]
        found = [{"ip": first}, {"ip": second}] if len(families) > 1 else [{"ip": first}]
    else:
        # What a finished pod gave back may be another one's by now.
        found = own_addresses(number - (phase in {"Succeeded", "Failed"} and number > 1), families)
    if len(found) == 1 and draw(st.booleans()):
        return {"phase": phase, "podIP": found[0]["ip"]}
    return {"phase": phase, "podIPs": found}


@st.composite
def policies(draw: st.DrawFn, number: int) -> Raw:
    return {**_homed("NetworkPolicy", draw(st.sampled_from(HOMES)), f"p{number}"), "spec": draw(policy_specs)}


def nodes() -> list[Raw]:
    """Both nodes, with addresses and host names; only the first is of pool a."""
    made = [node("n1", pool="a"), node("n2")]
    for item in made:
        name = item["metadata"]["name"]
        listed = [{"type": "InternalIP", "address": text} for text in NODES[name]]
        item["status"]["addresses"] = [*listed, {"type": "Hostname", "address": name}]
    return made


@st.composite
def clusters(
    draw: st.DrawFn,
    *,
    max_pods: int = 5,
    max_policies: int = 4,
    gaps: bool = False,
    files: bool = False,
    ordered: bool = False,
) -> list[Raw]:
    """The objects of a small cluster, in no particular order.

    With `gaps` a namespace may be missing; with `files` they are manifests that no cluster has seen.
    """
    there = [name for name in NAMES if not (gaps and draw(st.sampled_from((True, False, False))))]
    objects = [namespace(name, **draw(labels)) for name in (*there, "kube-system")] + nodes()
    counts = draw(_few(1, max_pods)), draw(_few(0, max_policies))
    objects += [draw(pods(number, planned=files and draw(st.booleans()))) for number in range(counts[0])]
    objects += [draw(policies(number)) for number in range(counts[1])]
    objects += draw(ordered_policies()) if ordered else []
    return [without_uid(item) for item in objects] if files else objects


def _few(least: int, most: int) -> st.SearchStrategy[int]:
    """A number that is rarely small: small ones are where nothing happens."""
    return st.sampled_from([number for number in range(least, most + 1) for _ in range(number)] or [0])


def without_uid(item: Raw) -> Raw:
    return {**item, "metadata": {key: value for key, value in item["metadata"].items() if key != "uid"}}


def of_kind(objects: Sequence[Raw], *kinds: str) -> Iterable[Raw]:
    return (item for item in objects if item["kind"] in kinds)
