"""NetworkPolicies against another engine, that of cyclonus, on random clusters.

Kept out is where that engine is known to depart from the API: NotIn on an absent key, an empty value in matchLabels, a
pod that reaches itself, more than one name for a port.  It takes blocks to hold pods, so that dialect is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.dialect import Dialect
from auditor.model.ends import Address
from auditor.model.flow import DirectionDecision, Family, Protocol, Verdict
from auditor.model.rules import Match
from tests.builders import Raw, allow, namespace, pod, policy, port, selector, snapshot
from tests.upstream import Program, program

pytestmark = pytest.mark.long
"""Its modules are large: minutes to build them for the first time."""

HOMES = ("one", "two", "three")
BLOCKS = (
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.0.1/32",
    "203.0.113.0/24",
    "0.0.0.0/0",
    "::/0",
    "fd00::/16",
    "fd00:1::1/128",
)
HOLES = {
    "10.0.0.0/8": ["10.1.0.0/16", "10.2.0.1/32"],
    "10.1.0.0/16": ["10.1.0.1/32"],
    "0.0.0.0/0": ["203.0.113.5/32", "10.0.0.0/8"],
    "::/0": ["fd00:1::/32"],
}
OUTSIDE = {"203.0.113.5": Family.IPV4, "198.51.100.5": Family.IPV4, "2001:db8::5": Family.IPV6}
TRAFFIC = tuple(product(Protocol, (80, 81, 82)))
BLOCKS_HOLD_PODS = Dialect(block_holds_pods=Match.YES)

_label = st.tuples(st.sampled_from(("app", "tier")), st.sampled_from(("a", "b")))
_labels = st.lists(_label, max_size=2).map(dict)
_expression = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(("app", "tier")),
            "operator": st.just("In"),
            "values": st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {"key": st.sampled_from(("app", "tier")), "operator": st.sampled_from(("Exists", "DoesNotExist"))}
    ),
)
_selector = st.fixed_dictionaries(
    {}, optional={"matchLabels": _labels, "matchExpressions": st.lists(_expression, max_size=1)}
)
_numbers = st.sampled_from((80, 81, 82))
_names = st.sampled_from(("web", "alt"))
_protocols = st.sampled_from([item.value for item in Protocol])


@st.composite
def _block(draw: st.DrawFn) -> Raw:
    cidr = draw(st.sampled_from(BLOCKS))
    holes = draw(st.lists(st.sampled_from(HOLES[cidr]), max_size=2)) if cidr in HOLES else []
    return {"ipBlock": {"cidr": cidr, "except": holes}}


_peer = st.one_of(
    st.fixed_dictionaries({"podSelector": _selector}),
    st.fixed_dictionaries({"namespaceSelector": _selector}),
    st.fixed_dictionaries({"podSelector": _selector, "namespaceSelector": _selector}),
    _block(),
)
_port = st.one_of(
    st.fixed_dictionaries({}, optional={"protocol": _protocols, "port": st.one_of(_numbers, _names)}),
    st.tuples(_numbers, st.integers(0, 2), _protocols).map(
        lambda item: {"port": item[0], "endPort": item[0] + item[1], "protocol": item[2]}
    ),
)
_rule = st.tuples(st.lists(_peer, max_size=2), st.lists(_port, max_size=2)).map(
    lambda item: allow(*item[0], ports=item[1])
)
_rules = st.one_of(st.none(), st.lists(_rule, max_size=2))
_types = st.lists(st.sampled_from(("Ingress", "Egress")), min_size=1, max_size=2, unique=True)


@st.composite
def _pod(draw: st.DrawFn, number: int) -> Raw:
    numbers = draw(st.lists(st.tuples(_protocols, _numbers), max_size=3, unique=True))
    ports = [port(number, draw(_names), protocol) for protocol, number in numbers]
    home = draw(st.sampled_from(HOMES))
    addresses = [f"10.{HOMES.index(home)}.0.{number}", f"fd00:{HOMES.index(home)}::{number}"]
    labels: dict[str, Any] = draw(_labels)
    return pod(f"{home}/pod-{number}", at=addresses, ports=ports, **labels)


@st.composite
def _policy(draw: st.DrawFn, number: int) -> Raw:
    where = f"{draw(st.sampled_from(HOMES))}/policy-{number}"
    return policy(where, draw(_selector), ingress=draw(_rules), egress=draw(_rules), types=draw(_types))


@st.composite
def _clusters(draw: st.DrawFn) -> list[Raw]:
    homes = [namespace(name, **draw(_labels)) for name in HOMES]
    pods = [draw(_pod(number)) for number in range(1, draw(st.integers(2, 5)))]
    return [*homes, *pods, *(draw(_policy(number)) for number in range(draw(st.integers(1, 5))))]


@pytest.fixture(scope="module")
def cyclonus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program("cyclonus", tmp_path_factory.mktemp("go")) as found:
        yield found


Ends = tuple[Pod | Address, Pod | Address, Family]


def _ends(pods: tuple[Pod, ...]) -> Iterator[Ends]:
    everyone: tuple[Pod | Address, ...] = (*pods, *map(Address, OUTSIDE))
    for one, other in product(everyone, repeat=2):
        ips = [end.ip for end in (one, other) if isinstance(end, Address)]
        if one is not other and len(ips) < 2:
            yield from ((one, other, family) for family in Family if all(OUTSIDE[ip] is family for ip in ips))


def _peer_of(end: Pod | Address, family: Family, labels: dict[str, Any]) -> Raw:
    if isinstance(end, Address):
        return {"ip": end.ip}
    home = {"namespace": end.namespace, "namespaceLabels": labels[end.namespace]}
    return {**home, "ip": end.address(family), "labels": dict(end.labels)}


def _name(end: Pod | Address, protocol: Protocol, number: int) -> str:
    declared = () if isinstance(end, Address) else end.ports
    return next((item.name for item in declared if (item.protocol, item.number) == (protocol, number)), "")


def _allows(found: DirectionDecision) -> bool:
    assert found.verdict in {Verdict.ALLOWED, Verdict.DENIED}
    return found.verdict is Verdict.ALLOWED


def _compared(cyclonus: Program, objects: list[Raw]) -> list[tuple[Ends, str, Raw, Raw]]:
    """The flows of which the two say different things, and what."""
    found = snapshot(*objects)
    labels = {item.name: dict(item.labels) for item in found.namespaces}
    asked = [(*ends, *traffic) for ends in _ends(found.pods) for traffic in TRAFFIC]
    flows = [
        {
            "source": _peer_of(one, family, labels),
            "destination": _peer_of(other, family, labels),
            "port": number,
            "portName": _name(other, protocol, number),
            "protocol": protocol.value,
        }
        for one, other, family, protocol, number in asked
    ]
    said = cyclonus.ask({"policies": [item for item in objects if item["kind"] == "NetworkPolicy"], "flows": flows})
    model, differences = Model(found, dialect=BLOCKS_HOLD_PODS), []
    for (one, other, family, protocol, number), theirs in zip(asked, said, strict=True):
        decided = model.decide(one, other, family, number, protocol)
        ours = {"ingress": _allows(decided.ingress), "egress": _allows(decided.egress)}
        if ours != theirs:
            differences.append(((one, other, family), f"{number}/{protocol.value}", ours, theirs))
    return differences


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=_clusters())
def test_verdicts_are_those_of_another_engine(cyclonus: Program, objects: list[Raw]) -> None:
    assert _compared(cyclonus, objects) == []


@pytest.mark.parametrize(
    "selects",
    [
        # `labels.Requirement.Matches`: NotIn is true of an object without the key, and a value "" is not an absent key.
        selector(("tier", "NotIn", ["a"])),
        selector(tier=""),
    ],
)
def test_where_the_engine_departs_from_the_api_shows(cyclonus: Program, selects: Raw) -> None:
    objects = [
        pod("one/a", at=["10.0.0.1"]),
        pod("one/b", at=["10.0.0.2"]),
        policy("one/p", selects, types=["Ingress"]),
    ]

    assert _compared(cyclonus, objects) != []
