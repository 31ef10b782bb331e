"""What an API server refuses of policies of the Network Policy API is told with line, path and reason, and left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.model.problem import Effect
from tests.unit.cluster.reading import POD, Found, reading
from tests.unit.policy.ordering import ALL, admin, app, old_admin, old_baseline, rule

Raw = dict[str, Any]
DENY = rule("Deny", ALL)
TWICE = ["10.0.0.0/8", "fd00::/8", "10.0.0.0/8"]


def manifest(raw: Raw) -> Raw:
    """The object as a user writes it: nothing of it was stored before."""
    metadata = {key: value for key, value in raw["metadata"].items() if key in {"name", "labels"}}
    return {**raw, "metadata": metadata}


def read(*raws: Raw) -> Found:
    return reading("\n---\n".join([*(json.dumps(manifest(raw)) for raw in raws), POD]))


def to(*peers: Raw, **more: Any) -> Raw:
    return admin(egress=[rule("Deny", *peers, **more)])


def old_to(*peers: Raw, **more: Any) -> Raw:
    return old_admin(egress=[rule("Deny", *peers, **more)])


def old_port(port: Any) -> Raw:
    return old_admin(ingress=[rule("Deny", ALL, ports=[port])])


def new_port(port: Any) -> Raw:
    return admin(ingress=[rule("Deny", ALL, protocols=[port])])


def to_range(port: Any) -> Raw:
    return new_port({"tcp": {"destinationPort": port}})


REFUSED: list[tuple[Raw, str, str]] = [
    # The object, the path below it, the reason.  First the limits of whole objects
    (admin(priority=1001), "spec.priority", "1001 is not between 0 and 1000"),
    (admin(priority=-1), "spec.priority", "-1 is not between 0 and 1000"),
    (admin(priority=10**400), "spec.priority", "a number of many digits is not between 0 and 1000"),
    (admin(priority="10"), "spec.priority", "expected a whole number, found a string"),
    (admin(priority=1.5), "spec.priority", "expected a whole number, found the number 1.5"),
    (admin(priority=True), "spec.priority", "expected a whole number, found true"),
    (admin(priority=None), "spec.priority", "it is missing"),
    (old_admin(priority=1001), "spec.priority", "1001 is not between 0 and 1000"),
    (old_admin(priority=None), "spec.priority", "it is missing"),
    (admin(tier="Platform"), "spec.tier", "'Platform' is not one of Admin, Baseline"),
    (admin(tier=None), "spec.tier", "it is missing"),
    (admin(ingress=[DENY] * 26), "spec.ingress", "26 entries, but at most 25 are taken"),
    (admin(egress=[DENY] * 26), "spec.egress", "26 entries, but at most 25 are taken"),
    (old_admin(ingress=[DENY] * 101), "spec.ingress", "101 entries, but at most 100 are taken"),
    (old_baseline(egress=[DENY] * 101), "spec.egress", "101 entries, but at most 100 are taken"),
    (old_baseline("other"), "metadata.name", "there is only one policy of this kind, named 'default'"),
    ({**admin(), "spec": None}, "spec", "it is missing"),
    ({**admin(), "spec": []}, "spec", "expected an object, found a list"),
    # Subjects
    (admin(subject=None), "spec.subject", "it is missing"),
    (admin(subject={}), "spec.subject", "one of namespaces, pods is to be set"),
    (admin(subject={"namespaces": None}), "spec.subject", "one of namespaces, pods is to be set"),
    (admin(subject=ALL | app("a")), "spec.subject", "namespaces and pods are set, and only one of them may be"),
    (admin(subject={"pods": {}}), "spec.subject.pods.podSelector", "it is missing"),
    (old_admin(subject={"pods": {"podSelector": {}}}), "spec.subject.pods.namespaceSelector", "it is missing"),
    (
        admin(subject={"namespaces": {"matchLabels": {"a": 1}}}),
        "spec.subject.namespaces.matchLabels.a",
        "expected a string, found the number 1",
    ),
    (
        admin(subject={"namespaces": {"matchExpressions": [{"key": "a"}]}}),
        "spec.subject.namespaces.matchExpressions[0].operator",
        "it is missing",
    ),
    # Rules
    (admin(ingress={}), "spec.ingress", "expected a list, found an object"),
    (admin(ingress=["a"]), "spec.ingress[0]", "expected an object, found a string"),
    (admin(ingress=[None]), "spec.ingress[0]", "expected an object, found null"),
    (admin(ingress=[rule("Allow", ALL)]), "spec.ingress[0].action", "'Allow' is not one of Accept, Deny, Pass"),
    (old_admin(egress=[rule("Accept", ALL)]), "spec.egress[0].action", "'Accept' is not one of Allow, Deny, Pass"),
    (old_baseline(ingress=[rule("Pass", ALL)]), "spec.ingress[0].action", "'Pass' is not one of Allow, Deny"),
    (admin(ingress=[{"from": [ALL]}]), "spec.ingress[0].action", "it is missing"),
    (admin(ingress=[{"action": "Deny"}]), "spec.ingress[0].from", "it is missing"),
    (admin(egress=[DENY | {"name": "n" * 101}]), "spec.egress[0].name", "101 characters, but at most 100 are taken"),
    (old_to(ALL, name="n" * 101), "spec.egress[0].name", "101 characters, but at most 100 are taken"),
    # Peers
    (to(), "spec.egress[0].to", "an empty list, but at least one entry is needed"),
    (to(*[ALL] * 26), "spec.egress[0].to", "26 entries, but at most 25 are taken"),
    (old_to(*[ALL] * 101), "spec.egress[0].to", "101 entries, but at most 100 are taken"),
    (to({}), "spec.egress[0].to[0]", "one of namespaces, pods, networks, nodes, domainNames is to be set"),
    (
        to(ALL, {"nods": {}}),
        "spec.egress[0].to[1]",
        "one of namespaces, pods, networks, nodes, domainNames is to be set",
    ),
    (to(ALL | {"nodes": {}}), "spec.egress[0].to[0]", "namespaces and nodes are set, and only one of them may be"),
    (
        admin(ingress=[rule("Deny", {"networks": ["10.0.0.0/8"]})]),
        "spec.ingress[0].from[0]",
        "one of namespaces, pods is to be set, and 'networks' is none",
    ),
    (old_to({"pods": {"podSelector": {}}}), "spec.egress[0].to[0].pods.namespaceSelector", "it is missing"),
    (old_to({"pods": {"namespaces": {}}}), "spec.egress[0].to[0].pods.podSelector", "it is missing"),
    (
        old_to({"namespaces": {"namespaceSelector": {}, "sameLabels": ["a"]}}),
        "spec.egress[0].to[0].namespaces",
        "namespaceSelector and sameLabels are set",
    ),
    (to({"networks": []}), "spec.egress[0].to[0].networks", "an empty list"),
    (to({"networks": [f"10.0.{at}.0/24" for at in range(26)]}), "spec.egress[0].to[0].networks", "26 entries"),
    (to({"networks": TWICE}), "spec.egress[0].to[0].networks[2]", "'10.0.0.0/8' stands twice"),
    (to({"networks": ["10.0.0.1"]}), "spec.egress[0].to[0].networks[0]", "'10.0.0.1' is no block of addresses"),
    (to({"networks": ["10.0.0.0/08"]}), "spec.egress[0].to[0].networks[0]", "'10.0.0.0/08' is no block"),
    (to({"networks": ["010.0.0.0/8"]}), "spec.egress[0].to[0].networks[0]", "'010.0.0.0/8' is no block"),
    (to({"networks": ["10.0.0.0/33"]}), "spec.egress[0].to[0].networks[0]", "'10.0.0.0/33' is no block"),
    (old_to({"networks": ["::ffff:10.0.0.0/24"]}), "spec.egress[0].to[0].networks[0]", "an IPv4 block written as IPv6"),
    (to({"networks": ["0" * 44]}), "spec.egress[0].to[0].networks[0]", "44 characters, but at most 43 are taken"),
    (to({"domainNames": ["localhost"]}), "spec.egress[0].to[0].domainNames[0]", "'localhost' is no domain name"),
    (to({"domainNames": ["a.*.org"]}), "spec.egress[0].to[0].domainNames[0]", "'a.*.org' is no domain name"),
    (
        old_baseline(egress=[rule("Deny", {"domainNames": ["a.org"]})]),
        "spec.egress[0].to[0]",
        "one of namespaces, pods, networks, nodes is to be set, and 'domainNames' is none",
    ),
    # Ports
    (to(ALL, protocols=[]), "spec.egress[0].protocols", "an empty list"),
    (to(ALL, protocols=[{"tcp": {}}] * 26), "spec.egress[0].protocols", "26 entries, but at most 25 are taken"),
    (old_to(ALL, ports=[]), "spec.egress[0].ports", "an empty list"),
    (old_to(ALL, ports=[{"namedPort": "a"}] * 101), "spec.egress[0].ports", "101 entries, but at most 100 are taken"),
    (new_port({}), "spec.ingress[0].protocols[0]", "one of tcp, udp, sctp, destinationNamedPort is to be set"),
    (new_port({"icmp": {}}), "spec.ingress[0].protocols[0]", "is to be set, and 'icmp' is none"),
    (new_port({"tcp": {}}), "spec.ingress[0].protocols[0].tcp", "destinationPort is to be set"),
    (to_range({}), "spec.ingress[0].protocols[0].tcp.destinationPort", "one of number, range is to be set"),
    (
        to_range({"number": 0}),
        "spec.ingress[0].protocols[0].tcp.destinationPort.number",
        "0 is not between 1 and 65535",
    ),
    (
        to_range({"range": {"start": 9, "end": 9}}),
        "spec.ingress[0].protocols[0].tcp.destinationPort.range.start",
        "9 is not below end 9",
    ),
    (to_range({"range": {"start": 9}}), "spec.ingress[0].protocols[0].tcp.destinationPort.range.end", "it is missing"),
    (old_port({"portNumber": {"port": 65536}}), "spec.ingress[0].ports[0].portNumber.port", "65536 is not between"),
    (old_port({"portNumber": {}}), "spec.ingress[0].ports[0].portNumber.port", "it is missing"),
    (old_port({"portRange": {"start": 1}}), "spec.ingress[0].ports[0].portRange.end", "it is missing"),
    (
        old_port({"namedPort": "a", "portNumber": {"port": 1}}),
        "spec.ingress[0].ports[0]",
        "portNumber and namedPort are set, and only one of them may be",
    ),
    (
        to(ALL, {"nodes": {}}, protocols=[{"destinationNamedPort": "web"}]),
        "spec.egress[0].protocols[0].destinationNamedPort",
        "a name, but the rule's peers of nodes have no named ports",
    ),
    (
        old_to({"networks": ["10.0.0.0/8"]}, ports=[{"portNumber": {"port": 1}}, {"namedPort": "web"}]),
        "spec.egress[0].ports[1].namedPort",
        "a name, but the rule's peers of networks have no named ports",
    ),
]


@pytest.mark.parametrize(("raw", "path", "reason"), REFUSED, ids=[f"{at}-{row[1]}" for at, row in enumerate(REFUSED)])
def test_refused_policy(raw: Raw, path: str, reason: str) -> None:
    """No server holds it, so no verdict suffers, and what stands beside it is read."""
    found = read(raw, admin("other", ingress=[DENY]))
    told = found.of()

    assert {one.effect for one in told} == {Effect.REFUSED}
    assert any(one.why.startswith(f"{path}: ") and reason in one.why for one in told), [one.why for one in told]
    assert {one.object for one in told} == {f"{raw['kind']} {raw['metadata']['name']}"}
    assert {one.what for one in told} == {"the API server would refuse this object, so it has no effect"}
    assert all(one.attempt and one.line for one in told)
    assert ([item.name for item in found.snapshot.objects], found.snapshot.blind_spots) == (["other"], ())
    assert found.pods == ["shop/good"]


TAKEN: list[Raw] = [
    admin(priority=0, ingress=[DENY] * 25, egress=[DENY] * 25),
    old_admin(priority=1000, ingress=[DENY] * 100),
    old_baseline(ingress=[DENY | {"name": "n" * 100}]),
    admin(subject=app("a"), ingress=[rule("Pass", {"namespaces": {}, "pods": None}, protocols=None)]),
    admin(subject={"pods": {"podSelector": {}}}),
    to({"networks": ["10.1.2.3/8", "0.0.0.0/0", "::/0"]}, {"nodes": {}}, {"domainNames": ["a.org", "*.b-c.org."]}),
    to_range({"range": {"start": 1, "end": 2}}),
    new_port({"destinationNamedPort": "web"}),
    # The CRD leaves these to the engines.
    old_port({"portRange": {"start": 2, "end": 1}}),
    old_port({"portNumber": {"port": 1, "protocol": "ICMP"}}),
    admin(subject={"namespaces": {"matchLabels": {"-a": "b c"}}}),
    admin(subject={"namespaces": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
    # As v0.1.1 wrote it.
    old_to(
        {"namespaces": {"sameLabels": ["a"]}}, {"pods": {"namespaces": {"namespaceSelector": {}}, "podSelector": {}}}
    ),
    # Nobody knows the limits of a version to come.
    {**admin(priority=1001), "apiVersion": "policy.networking.k8s.io/v9"},
]


@pytest.mark.parametrize("raw", TAKEN, ids=range(len(TAKEN)))
def test_what_is_taken(raw: Raw) -> None:
    found = read(raw)

    assert found.of() == []
    assert [item.name for item in found.snapshot.objects] == [raw["metadata"]["name"]]


def test_version_to_come_takes_no_block_with_more_bits_than_its_length() -> None:
    raw = {**to({"networks": ["10.0.0.1/8"]}), "apiVersion": "policy.networking.k8s.io/v1beta1"}
    (problem,) = read(raw).of()

    assert problem.why.endswith("networks[0]: '10.0.0.1/8' has bits beyond its length, unlike 10.0.0.0/8")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (admin(someday={}), "spec.someday"),
        (admin(ingress=[DENY | {"to": [ALL]}]), "spec.ingress[0].to"),
        (to(ALL | {"someday": 1}), "spec.egress[0].to[0].someday"),
        (to({"namespaces": {"namespaceSelector": {}}}), "spec.egress[0].to[0].namespaces.namespaceSelector"),
    ],
)
def test_what_only_kubectl_refuses_is_unknown(raw: Raw, path: str) -> None:
    """Without the field the server would store it, and a later server with it."""
    found = read(raw)
    (problem,) = found.of()

    assert problem.effect is Effect.UNSURE
    assert problem.why == f"{path}: a field that this version does not know"
    assert len(found.snapshot.objects) == 1


def test_what_a_server_stored_is_not_judged_again() -> None:
    raw = admin(priority=1001, ingress=[rule("Deny", {"someday": 1})] * 26)
    found = reading(json.dumps(raw))

    assert found.of() == []
    assert len(found.snapshot.objects) == 1


def test_line_is_that_of_the_field() -> None:
    text = """
    apiVersion: policy.networking.k8s.io/v1alpha1
    kind: AdminNetworkPolicy
    metadata: {name: p}
    spec:
      subject: {namespaces: {}}
      priority: 1
      ingress:
      - action: Deny
        from:
        - namespaces: {}
        - {}
        ports:
        - portNumber: {port: 0}
    """
    assert [one.line for one in reading(text).of()] == [12, 14]
