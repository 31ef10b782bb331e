"""Laws that any reading keeps: what must not change a verdict, and what may change it one way only."""

from __future__ import annotations

import copy
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.model.cluster import Pod
from auditor.model.flow import Verdict
from tests import oracle
from tests.builders import Raw
from tests.properties.asking import few, model_of, questions, verdicts, worse
from tests.strategies import clusters, policies, policy_specs
from tests.strategies.objects import of_kind
from tests.strategies.parts import KEYS, PORT_NAMES, PROTOCOLS, VALUES, labels

RULES = {"ingress": "from", "egress": "to"}


@few
@given(clusters(max_policies=0))
def test_without_policies_everything_is_allowed(objects: list[Raw]) -> None:
    """A cluster starts open (`NetworkPolicySpec`)."""
    assert set(verdicts(objects).values()) <= {Verdict.ALLOWED}


@few
@given(clusters(ordered=True), st.randoms(use_true_random=False))
def test_order_of_objects_changes_nothing(objects: list[Raw], random: Any) -> None:
    """No list in the API server has an order that means anything."""
    shuffled = list(objects)
    random.shuffle(shuffled)

    assert verdicts(shuffled) == verdicts(objects)


@few
@given(clusters(ordered=True), st.randoms(use_true_random=False))
def test_order_within_a_policy_changes_nothing(objects: list[Raw], random: Any) -> None:
    """Rules, peers and ports of a NetworkPolicy are sets."""
    mixed = copy.deepcopy(objects)
    for spec in (item["spec"] for item in of_kind(mixed, "NetworkPolicy")):
        for way, side in RULES.items():
            for parts in [spec.get(way), *(rule.get(key) for rule in spec.get(way) or [] for key in (side, "ports"))]:
                random.shuffle(parts or [])

    assert verdicts(mixed) == verdicts(objects)


@few
@given(clusters(), st.data())
def test_an_added_rule_never_takes_a_flow_away(objects: list[Raw], data: st.DataObject) -> None:
    """Policies only allow: one more rule in a direction that is isolated already makes no flow worse."""
    grown = copy.deepcopy(objects)
    found = list(of_kind(grown, "NetworkPolicy"))
    if not found:
        return
    spec, extra = data.draw(st.sampled_from(found))["spec"], data.draw(policy_specs)
    for way in oracle.types(spec):
        spec[way.lower()] = [*(spec.get(way.lower()) or []), *(extra.get(way.lower()) or [])]

    assert not worse(verdicts(objects), verdicts(grown))


@few
@given(clusters(), policies(99))
def test_one_more_policy_takes_away_only_where_it_isolates_anew(objects: list[Raw], extra: Raw) -> None:
    """A policy never adds a flow to a pod that it isolates for the first time, and never takes one from any other."""
    plain, grown = model_of(objects), model_of([*objects, extra])
    for question in questions(objects, plain.snapshot):
        before, after = question.ask(plain), question.ask(grown)
        ends = (before.egress, after.egress, question.source), (before.ingress, after.ingress, question.destination)
        for one, other, end in ends:
            if isinstance(end.given, Pod) and not end.given.host_network:
                fresh = one.direction in grown.isolates(end.given) - plain.isolates(end.given)
                less, more = (other, one) if fresh else (one, other)
                assert not worse({question.name: less.verdict}, {question.name: more.verdict})


@few
@given(clusters())
def test_a_policy_that_is_there_twice_changes_nothing(objects: list[Raw]) -> None:
    """The union of a set with itself."""
    copies = copy.deepcopy(list(of_kind(objects, "NetworkPolicy")))
    for item in copies:
        item["metadata"]["name"] += "-again"

    assert verdicts([*objects, *copies]) == verdicts(objects)


@few
@given(clusters())
def test_splitting_rules_and_policies_changes_nothing(objects: list[Raw]) -> None:
    """One rule of two peers and two ports is four rules, and one policy of two rules is two policies of one rule."""
    split = [part for item in objects for part in (_halves(item) if item["kind"] == "NetworkPolicy" else [item])]

    assert verdicts(split) == verdicts(objects)


def _halves(policy: Raw) -> list[Raw]:
    """A policy for each rule, peer and port of each direction, and one that only isolates."""
    spec = {**policy["spec"], "policyTypes": oracle.types(policy["spec"])}
    parts = [{**spec, "ingress": None, "egress": None}]
    for way, side in RULES.items():
        for rule in spec.get(way) or []:
            ones = [{side: [peer]} for peer in rule.get(side) or []] or [{}]
            twos = [{"ports": [port]} for port in rule.get("ports") or []] or [{}]
            parts += [{**spec, "ingress": None, "egress": None, way: [{**one, **two}]} for one in ones for two in twos]
    name = policy["metadata"]["name"]
    return [
        {**policy, "metadata": {**policy["metadata"], "name": f"{name}-{number}"}, "spec": part}
        for number, part in enumerate(parts)
    ]


@few
@given(clusters())
def test_merging_policies_of_one_subject_changes_nothing(objects: list[Raw]) -> None:
    """Policies that select the same pods in the same directions are one policy with the rules of all."""
    merged: dict[str, Raw] = {}
    for item in of_kind(copy.deepcopy(objects), "NetworkPolicy"):
        types, spec = sorted(set(oracle.types(item["spec"]))), item["spec"]
        first = merged.setdefault(repr((oracle.home(item), spec.get("podSelector") or {}, types)), item)
        first["spec"]["policyTypes"] = types
        if first is not item:
            for way in RULES:
                first["spec"][way] = [*(first["spec"].get(way) or []), *(spec.get(way) or [])]

    others = [item for item in objects if item["kind"] != "NetworkPolicy"]
    assert verdicts([*others, *merged.values()]) == verdicts(objects)


@few
@given(clusters(ordered=True), st.permutations(KEYS), st.permutations(VALUES))
def test_other_words_for_labels_change_nothing(objects: list[Raw], keys: list[str], values: list[str]) -> None:
    """What a key or a value is called means nothing, not even an empty one, as long as all say the same."""
    words = dict(zip(KEYS, keys, strict=True)) | dict(zip(VALUES, values, strict=True))

    assert verdicts(_renamed(objects, words, _in_labels)) == verdicts(objects)


@few
@given(clusters(ordered=True), st.permutations(PORT_NAMES))
def test_other_names_for_ports_change_nothing(objects: list[Raw], names: list[str]) -> None:
    """A port's name is no more than the link between a rule and a container."""
    words = dict(zip(PORT_NAMES, names, strict=True))

    assert verdicts(_renamed(objects, words, _in_ports)) == verdicts(objects)


def _renamed(value: Any, words: dict[str, str], here: Callable[[str], bool], *, inside: bool = False) -> Any:
    """The value with other words in those fields that `here` points to."""
    if isinstance(value, dict):
        return {
            (words.get(key, key) if inside else key): _renamed(item, words, here, inside=inside or here(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, words, here, inside=inside) for item in value]
    return words.get(value, value) if inside and isinstance(value, str) else value


def _in_labels(key: str) -> bool:
    return key in {"labels", "matchLabels", "key", "values"}


def _in_ports(key: str) -> bool:
    return key in {"ports", "namedPort", "destinationNamedPort"}


@few
@given(clusters(ordered=True), st.permutations(PROTOCOLS))
def test_protocols_are_alike(objects: list[Raw], others: list[str]) -> None:
    """Protocols that swap their names swap their verdicts: none of them is special but for being the default."""
    words = dict(zip(PROTOCOLS, others, strict=True))
    spoken = [_spoken(item) for item in copy.deepcopy(objects)]
    before = verdicts(spoken)
    after = verdicts(_renamed(spoken, words | {a.lower(): b.lower() for a, b in words.items()}, _in_protocols))

    for (source, destination, family, protocol, port), verdict in before.items():
        assert after.get((source, destination, family, words[protocol], port), verdict) is verdict


def _spoken(item: Raw) -> Raw:
    """The same object with TCP said where nothing is."""
    spec = item.get("spec") or {}
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        container["ports"] = [{**port, "protocol": port.get("protocol") or "TCP"} for port in container["ports"]]
    for rule in [rule for way in RULES for rule in spec.get(way) or []]:
        if item["kind"] == "NetworkPolicy" and rule.get("ports"):
            rule["ports"] = [{**port, "protocol": port.get("protocol") or "TCP"} for port in rule["ports"]]
        elif rule.get("ports"):
            rule["ports"] = [
                {key: {"protocol": "TCP", **port} if isinstance(port, dict) else port for key, port in one.items()}
                for one in rule["ports"]
            ]
    return item


def _in_protocols(key: str) -> bool:
    return key in {"protocol", "protocols"}


@few
@given(clusters(ordered=True), labels)
def test_labels_that_nobody_asks_for_change_nothing(objects: list[Raw], more: Raw) -> None:
    """Keys that no selector names."""
    changed = copy.deepcopy(objects)
    for item in of_kind(changed, "Pod", "Namespace", "Node"):
        had = item["metadata"].get("labels") or {}
        item["metadata"]["labels"] = {**had, **{f"unasked/{key}": value for key, value in more.items()}}

    assert verdicts(changed) == verdicts(objects)


@few
@given(clusters(ordered=True))
def test_a_replica_has_the_verdicts_of_its_original(objects: list[Raw]) -> None:
    """How many pods there are of a kind changes no flow of any of them, and each has the flows of the others."""
    running = (item for item in of_kind(objects, "Pod") if item["status"]["phase"] in {"Running", "Pending"})
    # No block tells the addresses of these two from those that their replicas are given.
    found = [item for item in running if item["metadata"]["name"] in {"pod-1", "pod-2"} and _addresses(item)]
    if not found or found[0]["spec"]["hostNetwork"]:
        return
    replica = copy.deepcopy(found[0])
    replica["metadata"]["name"] += "00"
    replica["status"] = {"phase": "Running", "podIPs": [{"ip": f"{text}0"} for text in _addresses(replica)]}
    one, other = ("/".join(oracle.home_and_name(item)) for item in (found[0], replica))
    before, after = verdicts(objects), verdicts([*objects, replica])

    itself = {one, *(str(ip_address(text)) for text in _addresses(found[0]))}

    assert other in {name[0] for name in after}
    for name, verdict in before.items():
        assert after.get(name, verdict) is verdict
        if not set(name[:2]) <= itself:
            source, destination = (other if end == one else end for end in name[:2])
            assert after.get((source, destination, *name[2:]), verdict) is verdict


def _addresses(pod: Raw) -> list[str]:
    status = pod["status"]
    return [text for text in ([item["ip"] for item in status.get("podIPs") or []] or [status.get("podIP")]) if text]
