"""Wrong readings of the policy APIs, each made by some engine or model: the oracle with one part of it replaced.

A mistake says what it is, what takes the place of which function of `tests.oracle`, and the golden cases that are there
to catch it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

from tests.oracle import ends, manifests, networkpolicy, ordered, verdicts
from tests.oracle.ends import End, Flow
from tests.oracle.manifests import NO, OPEN, YES, Raw, all_of, any_of, home, tags
from tests.oracle.networkpolicy import Asked

Words = dict[str, str]


class Mistake(NamedTuple):
    what: str
    module: ModuleType
    function: str
    instead: Callable[..., Any]
    cases: tuple[str, ...]


def mistake(what: str, module: ModuleType, function: str, instead: Callable[..., Any], *cases: str) -> Mistake:
    return Mistake(what, module, function, instead, cases)


HOLDS, CHOSEN, ISOLATING = manifests.holds, manifests.chosen, networkpolicy.isolating
V1_PEER, PORT_FITS, TYPES, DECLARED = (
    networkpolicy.peer_fits,
    networkpolicy.port_fits,
    networkpolicy.types,
    networkpolicy.declared,
)
INSIDE, SAME, BY_NODE, FIND = ends.inside, ends.same, verdicts.by_node, ends.find
MATCH, MATCHES, PROSPECT = ordered.match, ordered.matches, verdicts.prospect


def needs_the_key(part: Raw, have: Words) -> bool:
    return part["key"] in have and HOLDS(part, have)


def absent_is_empty(selector: Raw | None, have: Words) -> bool:
    labels = (selector or {}).get("matchLabels") or {}
    return CHOSEN(selector, {key: "" for key, value in labels.items() if value == ""} | have)


def labels_alone(selector: Raw | None, have: Words) -> bool:
    return CHOSEN({"matchLabels": (selector or {}).get("matchLabels")}, have)


def missing_keys_match(selector: Raw | None, have: Words) -> bool:
    labels = (selector or {}).get("matchLabels") or {}
    parts = (selector or {}).get("matchExpressions") or []
    return CHOSEN({"matchLabels": {key: value for key, value in labels.items() if key in have}}, have) and all(
        part["key"] not in have or HOLDS(part, have) for part in parts
    )


def with_peer(change: Callable[[Raw], Raw]) -> Callable[..., str]:
    """Read a peer after changing it."""
    return lambda policy, peer, asked: V1_PEER(policy, change(peer), asked)


def anywhere(peer: Raw) -> Raw:
    """A missing namespaceSelector that means all namespaces."""
    return peer if peer.get("ipBlock") else {"namespaceSelector": {}, **peer}


def set_selectors(peer: Raw) -> Raw:
    """A null selector taken for an empty one."""
    return {key: {} if value is None and key.endswith("Selector") else value for key, value in peer.items()}


def without_namespaces(peer: Raw) -> Raw:
    return peer if peer.get("namespaceSelector") is None else {**peer, "namespaceSelector": {}}


def either_selector(policy: Raw, peer: Raw, asked: Asked) -> str:
    apart = [{key: value} for key, value in peer.items() if key != "ipBlock" and value is not None]
    return any_of(V1_PEER(policy, part, asked) for part in apart) if len(apart) == 2 else V1_PEER(policy, peer, asked)


def addresses_too(policy: Raw, peer: Raw, asked: Asked) -> str:
    """An empty namespaceSelector that means any address."""
    return YES if peer == {"namespaceSelector": {}} else V1_PEER(policy, peer, asked)


def blocks_of_pods(answer: str) -> Callable[..., str]:
    """A block that says something definite of pods."""

    def peer_fits(policy: Raw, peer: Raw, asked: Asked) -> str:
        found = V1_PEER(policy, peer, asked)
        return answer if found == OPEN else found

    return peer_fits


def empty_list_is_all(rules: str) -> Callable[..., str]:
    """A rule list that is empty and not null, read as no restriction."""

    def lets_through(policies: Sequence[Raw], asked: Asked) -> str:
        if any(item["spec"].get(asked.way.lower()) == [] for item in policies):
            return rules
        return networkpolicy_lets_through(policies, asked)

    return lets_through


networkpolicy_lets_through = networkpolicy.lets_through


def every_policy_must_allow(policies: Sequence[Raw], asked: Asked) -> str:
    return all_of(networkpolicy_lets_through([policy], asked) for policy in policies)


def rules_lend_ports(policies: Sequence[Raw], asked: Asked) -> str:
    rules = [(policy, rule) for policy in policies for rule in policy["spec"].get(asked.way.lower()) or []]
    return all_of(
        (
            any_of(networkpolicy.ports_fit(rule, asked) for _, rule in rules),
            any_of(networkpolicy.peers_fit(policy, rule, asked) for policy, rule in rules),
        )
    )


def of_every_namespace(asked: Asked) -> list[Raw]:
    pod = asked.subject.pod or {}
    moved = [
        {**item, "metadata": {**item["metadata"], "namespace": home(pod)}} if item["kind"] == "NetworkPolicy" else item
        for item in asked.objects
    ]
    return ISOLATING(replace(asked, objects=moved))


def egress_where_it_is_written(spec: Raw) -> list[str]:
    return TYPES(spec) if spec.get("policyTypes") or "egress" not in spec else ["Ingress", "Egress"]


def as_far_as_rules_go(spec: Raw) -> list[str]:
    return [way for way in ("Ingress", "Egress") if spec.get(way.lower())] or TYPES(spec)


def any_protocol(item: Raw, asked: Asked) -> bool:
    return PORT_FITS({**item, "protocol": item.get("protocol") or asked.protocol}, asked)


def first_port_alone(item: Raw, asked: Asked) -> bool:
    return PORT_FITS({**item, "endPort": None}, asked)


def without_the_last(item: Raw, asked: Asked) -> bool:
    last = item.get("endPort")
    return PORT_FITS(item, asked) and not (last and last != item["port"] and asked.port == last)


def no_port_is_no_protocol(item: Raw, asked: Asked) -> bool:
    return item.get("port") is None or PORT_FITS(item, asked)


def names_are_zero(item: Raw, asked: Asked) -> bool:
    return PORT_FITS({**item, "port": None} if isinstance(item.get("port"), str) else item, asked)


def names_of_any_protocol(item: Raw, asked: Asked) -> bool:
    if isinstance(item.get("port"), str):
        return any(name == item["port"] and number == asked.port for name, _, number in DECLARED(asked.destination.pod))
    return PORT_FITS(item, asked)


def names_of_the_subject(item: Raw, asked: Asked) -> bool:
    return PORT_FITS(item, replace(asked, destination=asked.subject))


def containers_alone(pod: Raw | None) -> set[tuple[str, str, int]]:
    return DECLARED({**pod, "spec": {**pod["spec"], "initContainers": []}} if pod else None)


def all_init_containers(pod: Raw | None) -> set[tuple[str, str, int]]:
    spec = pod["spec"] if pod else {}
    everyone = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return DECLARED({"spec": {"containers": everyone}})


def first_declared(pod: Raw | None) -> set[tuple[str, str, int]]:
    spec = pod["spec"] if pod else {}
    firsts = [{**item, "ports": (item.get("ports") or [])[:1]} for item in spec.get("containers") or []]
    return DECLARED({"spec": {"containers": firsts}})


def without_ipv6(end: End, cidr: str, holes: Sequence[str]) -> str:
    return NO if ":" in cidr else INSIDE(end, cidr, holes)


def without_holes(end: End, cidr: str, _: Sequence[str]) -> str:
    return INSIDE(end, cidr, [])


def holes_of_all(policies: Sequence[Raw], asked: Asked) -> str:
    """An except that takes away from every rule."""
    blocks = [
        peer["ipBlock"]
        for policy in policies
        for rule in policy["spec"].get(asked.way.lower()) or []
        for peer in rule.get("from" if asked.way == "Ingress" else "to") or []
        if peer.get("ipBlock")
    ]
    if any(INSIDE(asked.other, hole, []) for block in blocks for hole in block.get("except") or []):
        return NO
    return networkpolicy_lets_through(policies, asked)


def workload_mates_are_one(objects: Sequence[Raw], flow: Flow) -> bool:
    found = [end["metadata"].get("ownerReferences") for end in (flow.source, flow.destination) if isinstance(end, dict)]
    return SAME(objects, flow) or (len(found) == 2 and bool(found[0]) and found[0] == found[1])


def inverted_node(answer: str, asked: Asked) -> str:
    mine = ends.node_of(asked.subject.pod or {})
    return "allowed" if mine != asked.other.node else answer


def ingress_alone(objects: Sequence[Raw], way: str, *rest: Any) -> verdicts.Prospect:
    return verdicts.ALLOWED if way == "Egress" else PROSPECT(objects, way, *rest)


def skipping_baseline(asked: Asked) -> verdicts.Prospect:
    """A pod that any policy selects, in either direction, is kept from the Baseline tier."""
    ways = [replace(asked, way=way) for way in ("Ingress", "Egress")]
    pod = asked.subject.pod
    mine = [replace(item, source=asked.subject, destination=asked.subject) for item in ways] if pod else []
    return verdicts.ALLOWED if any(ISOLATING(item) for item in mine) and not ISOLATING(asked) else MIDDLE(asked)


MIDDLE = verdicts.middle


def by_name(objects: Sequence[Raw], tier: str) -> list[list[Raw]]:
    found = [item for item in objects if ordered.tier_of(item) == tier]
    return [sorted(found, key=lambda item: (item["spec"].get("priority", 0), item["metadata"]["name"]))]


def by_words(objects: Sequence[Raw], tier: str) -> list[list[Raw]]:
    found = [item for item in objects if ordered.tier_of(item) == tier]
    return [sorted(found, key=lambda item: str(item["spec"].get("priority", "")))]


def pass_is_no_match(policy: Raw, asked: Asked) -> list[tuple[str, str]]:
    return [(NO if action == "Pass" else answer, action) for answer, action in MATCHES(policy, asked)]


def ordered_isolates(asked: Asked) -> verdicts.Prospect:
    found = any_subject(asked)
    return verdicts.DENIED if found and not ISOLATING(asked) else MIDDLE(asked)


def any_subject(asked: Asked) -> bool:
    return any(
        ordered.subject_fits(item, asked) == YES
        for item in asked.objects
        if item["kind"] in ordered.KINDS and item["spec"].get(asked.way.lower())
    )


def networks_are_outside(peer: Raw, asked: Asked) -> str:
    return NO if peer.get("networks") is not None and asked.other.pod is not None else ORDERED_PEER(peer, asked)


ORDERED_PEER = ordered.peer_fits


def unknown_peers_are_skipped(rule: Raw, asked: Asked) -> tuple[str, str]:
    key = "from" if asked.way == "Ingress" else "to"
    known = [peer for peer in rule[key] if any(name in peer for name in ordered.PEER_FIELDS[asked.way])]
    return MATCH({**rule, key: known}, asked)


def labels_of_pods_too(objects: Sequence[Raw], selector: Raw | None, name: str) -> str:
    """A namespace that is matched by its name, whatever the label is called."""
    return any_of((NAMESPACE_CHOSEN(objects, selector, name), YES if CHOSEN(selector, {"name": name}) else NO))


NAMESPACE_CHOSEN = manifests.namespace_chosen


def labels_are_guessed(objects: Sequence[Raw], selector: Raw | None, name: str) -> str:
    found = [item for item in objects if item["kind"] == "Namespace" and item["metadata"]["name"] == name]
    have = {manifests.NAME_LABEL: name, **(tags(found[0]) if found else {})}
    return YES if CHOSEN(selector, have) else NO
