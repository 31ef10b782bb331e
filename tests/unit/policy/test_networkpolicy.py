"""What NetworkPolicy says of a flow: each statement of the API, and the cases that other suites found worth a test."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.flow import Family, PolicyRef, Protocol, Verdict
from tests.builders import (
    Raw,
    allow,
    block,
    deny_all,
    namespace,
    namespaces,
    pod,
    pods,
    policy,
    port,
    selector,
    snapshot,
    tcp,
    udp,
)

ALLOWED, DENIED, UNDEFINED = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNDEFINED
V4, V6 = Family.IPV4, Family.IPV6
PODS = (
    pod("x/a", at=["10.1.0.1", "fd00:1::1"], ports=[port(80, "http"), port(81, "dns", "UDP")], app="a"),
    pod("x/b", at=["10.1.0.2", "fd00:1::2"], ports=[port(8080, "http")], app="b", tier=""),
    pod("y/a", at=["10.2.0.1", "fd00:2::1"], app="a"),
    pod("y/bare", at=["10.2.0.2", "fd00:2::2"]),
    namespace("x", team="blue"),
    namespace("y", team="red"),
)


def says(policies: list[Raw], source: str, destination: str, number: int = 80, family: Family = V4) -> Verdict:
    """The verdict for a flow between two of PODS."""
    found = snapshot(*PODS, *policies)
    by_name = {f"{item.namespace}/{item.name}": item for item in found.pods}
    return Model(found).decide(by_name[source], by_name[destination], family, number).verdict


def into_a(*rules: Raw, **more: Any) -> Raw:
    """A policy on x/a that lets only these in."""
    return policy("x/in", selector(app="a"), ingress=list(rules), **more)


def out_of_a(*rules: Raw) -> Raw:
    """A policy on x/a that lets only these out."""
    return policy("x/out", selector(app="a"), egress=list(rules), types=["Egress"])


CASES: list[tuple[str, list[Raw], str, str, int, Verdict]] = [
    # 1-4: who is isolated, and the union of rules
    ("no policy", [], "x/b", "x/a", 80, ALLOWED),
    ("a policy that selects nobody", [deny_all("x/p", app="none")], "x/b", "x/a", 80, ALLOWED),
    ("a policy of another namespace", [deny_all("y/p")], "x/b", "x/a", 80, ALLOWED),
    ("an empty selector is the whole namespace", [deny_all("x/p", "Ingress")], "y/a", "x/b", 80, DENIED),
    ("no rules at all", [policy("x/p")], "x/b", "x/a", 80, DENIED),
    ("an empty list of rules", [policy("x/p", ingress=[])], "x/b", "x/a", 80, DENIED),
    ("one empty rule", [into_a(allow())], "y/bare", "x/a", 9, ALLOWED),
    ("an allow beside a deny", [deny_all("x/p"), into_a(allow())], "y/a", "x/a", 80, ALLOWED),
    # 5-6: both sides, each direction for itself
    ("egress denies what ingress allows", [deny_all("y/p", "Egress"), into_a(allow())], "y/a", "x/a", 80, DENIED),
    ("ingress denies what egress allows", [out_of_a(allow()), deny_all("y/p", "Ingress")], "x/a", "y/a", 80, DENIED),
    ("egress isolation leaves ingress alone", [deny_all("x/p", "Egress")], "y/a", "x/a", 80, ALLOWED),
    ("ingress isolation leaves egress alone", [deny_all("x/p", "Ingress")], "x/a", "y/a", 80, ALLOWED),
    ("rules of an unlisted direction are inert", [into_a(types=["Egress"])], "y/a", "x/a", 80, ALLOWED),
    # 7-9: peers
    ("podSelector is the own namespace", [into_a(allow(pods(app="b")))], "x/b", "x/a", 80, ALLOWED),
    ("podSelector is only the own namespace", [into_a(allow(pods(app="a")))], "y/a", "x/a", 80, DENIED),
    ("empty podSelector is all of the own namespace", [into_a(allow(pods()))], "x/b", "x/a", 80, ALLOWED),
    ("empty podSelector is nobody elsewhere", [into_a(allow(pods()))], "y/a", "x/a", 80, DENIED),
    ("namespaceSelector is all pods there", [into_a(allow(namespaces(team="red")))], "y/bare", "x/a", 80, ALLOWED),
    ("namespaceSelector excludes the own one", [into_a(allow(namespaces(team="red")))], "x/b", "x/a", 80, DENIED),
    ("empty namespaceSelector is every namespace", [into_a(allow(namespaces()))], "y/bare", "x/a", 80, ALLOWED),
    ("both are ANDed", [into_a(allow(namespaces(team="red") | pods(app="a")))], "y/bare", "x/a", 80, DENIED),
    ("both are ANDed, met", [into_a(allow(namespaces(team="red") | pods(app="a")))], "y/a", "x/a", 80, ALLOWED),
    ("two peers are ORed", [into_a(allow(namespaces(team="red"), pods(app="a")))], "y/bare", "x/a", 80, ALLOWED),
    ("empty both is everybody", [into_a(allow(namespaces() | pods()))], "y/bare", "x/a", 80, ALLOWED),
    # 10-11: expressions
    (
        "a namespace by its name",
        [into_a(allow(namespaces(("kubernetes.io/metadata.name", "In", ["y"]))))],
        "y/a",
        "x/a",
        80,
        ALLOWED,
    ),
    (
        "NotIn matches an absent key",
        [into_a(allow(namespaces() | pods(("app", "NotIn", ["a"]))))],
        "y/bare",
        "x/a",
        80,
        ALLOWED,
    ),
    (
        "NotIn excludes its value",
        [into_a(allow(namespaces() | pods(("app", "NotIn", ["a"]))))],
        "y/a",
        "x/a",
        80,
        DENIED,
    ),
    ("Exists matches an empty value", [into_a(allow(pods(("tier", "Exists"))))], "x/b", "x/a", 80, ALLOWED),
    ("DoesNotExist", [into_a(allow(namespaces() | pods(("app", "DoesNotExist"))))], "y/a", "x/a", 80, DENIED),
    ("an empty value is a value", [into_a(allow(pods(tier="")))], "x/b", "x/a", 80, ALLOWED),
    ("an absent key is no empty value", [into_a(allow(namespaces() | pods(tier="")))], "y/bare", "x/a", 80, DENIED),
    # 12-17: ports
    ("no peers, one port", [into_a(allow(ports=[tcp(80)]))], "y/a", "x/a", 80, ALLOWED),
    ("no peers, another port", [into_a(allow(ports=[tcp(80)]))], "y/a", "x/a", 81, DENIED),
    ("a protocol without a port is all its ports", [into_a(allow(ports=[tcp()]))], "y/a", "x/a", 12345, ALLOWED),
    ("no protocol is TCP", [into_a(allow(ports=[tcp(80, protocol=None)]))], "y/a", "x/a", 80, ALLOWED),
    ("UDP opens no TCP", [into_a(allow(ports=[udp(80)]))], "y/a", "x/a", 80, DENIED),
    ("SCTP alone isolates for TCP", [into_a(allow(ports=[tcp(80, protocol="SCTP")]))], "y/a", "x/a", 80, DENIED),
    ("a named port", [into_a(allow(ports=[tcp("http")]))], "y/a", "x/a", 80, ALLOWED),
    ("a named port is no other number", [into_a(allow(ports=[tcp("http")]))], "y/a", "x/a", 8080, DENIED),
    ("a name of another protocol", [into_a(allow(ports=[tcp("dns")]))], "y/a", "x/a", 81, DENIED),
    ("a name that the pod lacks", [into_a(allow(ports=[tcp("web")]))], "y/a", "x/a", 80, DENIED),
    ("an egress name resolves at the peer", [out_of_a(allow(ports=[tcp("http")]))], "x/a", "x/b", 8080, ALLOWED),
    ("an egress name is not the sender's number", [out_of_a(allow(ports=[tcp("http")]))], "x/a", "x/b", 80, DENIED),
    ("an egress name that the peer lacks", [out_of_a(allow(ports=[tcp("http")]))], "x/a", "y/a", 80, DENIED),
    ("a range holds its first", [into_a(allow(ports=[tcp(80, 82)]))], "y/a", "x/a", 80, ALLOWED),
    ("a range holds its last", [into_a(allow(ports=[tcp(80, 82)]))], "y/a", "x/a", 82, ALLOWED),
    ("a range ends before the next", [into_a(allow(ports=[tcp(80, 82)]))], "y/a", "x/a", 83, DENIED),
    ("a range begins where it says", [into_a(allow(ports=[tcp(80, 82)]))], "y/a", "x/a", 79, DENIED),
    ("a range of UDP", [into_a(allow(ports=[udp(80, 82)]))], "y/a", "x/a", 81, DENIED),
    ("several ports are ORed", [into_a(allow(ports=[udp(53), tcp(443), tcp("http")]))], "y/a", "x/a", 80, ALLOWED),
    ("peers and ports are ANDed", [into_a(allow(pods(app="b"), ports=[tcp(443)]))], "x/b", "x/a", 80, DENIED),
    (
        "peers of one rule do not lend their ports to another",
        [into_a(allow(pods(app="b"), ports=[tcp(443)]), allow(pods(app="none"), ports=[tcp(80)]))],
        "x/b",
        "x/a",
        80,
        DENIED,
    ),
    # 18: stacked policies
    (
        "stacked policies are a union",
        [into_a(allow(ports=[tcp(80)])), policy("x/more", ingress=[allow(ports=[tcp(81)])])],
        "y/a",
        "x/a",
        81,
        ALLOWED,
    ),
    # 19: ipBlock against pods is open, and only where nothing else decides
    ("a block with the pod", [into_a(allow(block("10.2.0.1/32")))], "y/a", "x/a", 80, UNDEFINED),
    ("a block without the pod", [into_a(allow(block("10.9.0.0/16")))], "y/a", "x/a", 80, DENIED),
    ("an except with the pod", [into_a(allow(block("10.2.0.0/16", "10.2.0.1/32")))], "y/a", "x/a", 80, DENIED),
    ("an except with another pod", [into_a(allow(block("10.2.0.0/16", "10.2.0.2/32")))], "y/a", "x/a", 80, UNDEFINED),
    (
        "an except takes only from its own block",
        [into_a(allow(block("10.2.0.0/16", "10.2.0.1/32")), allow(block("10.2.0.1/32")))],
        "y/a",
        "x/a",
        80,
        UNDEFINED,
    ),
    (
        "a selector decides before a block",
        [into_a(allow(block("10.2.0.1/32")), allow(namespaces(team="red")))],
        "y/a",
        "x/a",
        80,
        ALLOWED,
    ),
    ("a block on another port", [into_a(allow(block("10.2.0.1/32"), ports=[tcp(443)]))], "y/a", "x/a", 80, DENIED),
    (
        "a denial at the other end decides before a block",
        [into_a(allow(block("0.0.0.0/0"))), deny_all("y/p", "Egress")],
        "y/a",
        "x/a",
        80,
        DENIED,
    ),
    ("a block for egress", [out_of_a(allow(block("10.2.0.0/16")))], "x/a", "y/a", 80, UNDEFINED),
    # 24: loopback
    ("a pod reaches itself", [deny_all("x/p")], "x/a", "x/a", 80, ALLOWED),
]


@pytest.mark.parametrize(
    ("policies", "source", "destination", "number", "expected"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_case(policies: list[Raw], source: str, destination: str, number: int, expected: Verdict) -> None:
    """The verdict that the API's text asks for."""
    assert says(policies, source, destination, number) is expected


def test_block_of_one_family_says_nothing_on_the_other() -> None:
    """S16: the verdict is per family."""
    rule = [into_a(allow(block("fd00:2::/32")))]

    assert says(rule, "y/a", "x/a", family=V6) is UNDEFINED
    assert says(rule, "y/a", "x/a", family=V4) is DENIED


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("written", ["TCP", "UDP", "SCTP"])
def test_protocols_never_cross(protocol: Protocol, written: str) -> None:
    """14: a rule opens its own protocol and no other."""
    found = Model(snapshot(*PODS, into_a(allow(ports=[tcp(80, protocol=written)]))))

    decision = found.decide(*two(found, "x/b", "x/a"), V4, 80, protocol)

    assert decision.verdict is (ALLOWED if protocol.value == written else DENIED)


def two(model: Model, *names: str) -> tuple[Pod, Pod]:
    one, other = (next(pod for pod in model.snapshot.pods if f"{pod.namespace}/{pod.name}" == name) for name in names)
    return one, other


@pytest.mark.parametrize(
    ("policies", "node", "expected"),
    [
        ([], "n1", ALLOWED),
        ([into_a(allow(pods()))], "n1", ALLOWED),
        ([into_a(allow(pods()))], "n2", UNDEFINED),
        ([into_a()], "n2", DENIED),
        ([into_a()], "n1", UNDEFINED),
        ([into_a(allow(block("10.0.0.0/8")))], "n2", UNDEFINED),
        ([into_a(allow())], "n2", ALLOWED),
    ],
    ids=["no policy", "own node, selected", "selected", "denied", "own node, denied", "in a block", "everybody"],
)
def test_pods_of_the_host_network_have_two_readings(policies: list[Raw], node: str, expected: Verdict) -> None:
    """S18, S19: as a pod, or as its node; where both agree the API leaves nothing open."""
    host = pod("x/host", at=["10.9.0.1"], on=node, spec={"hostNetwork": True}, app="b")
    found = Model(snapshot(*PODS, host, *policies))

    assert found.decide(*two(found, "x/host", "x/a"), V4, 80).verdict is expected


def decide(*policies: Raw) -> tuple[tuple[PolicyRef, ...], tuple[str, ...], str]:
    found = Model(snapshot(*PODS, *policies))
    made = found.decide(*two(found, "x/b", "x/a"), V4, 80).ingress
    return made.isolating, made.allowing, made.reason


def test_reasons() -> None:
    """A decision names the policies that isolate, the rules that allow, and one sentence."""
    deny, other = policy("x/deny"), policy("x/also")
    open_a = policy("x/open", ingress=[allow(pods(app="none")), allow(pods())])
    open_b = policy("x/more", ingress=[allow()])
    maybe = policy("x/maybe", ingress=[allow(block("10.0.0.0/8"))])

    assert decide() == ((), (), "no policy isolates it for Ingress")
    assert decide(deny) == (
        (PolicyRef("x", "deny"),),
        (),
        "1 policy isolates it for Ingress and no rule allows the flow",
    )
    assert decide(deny, other)[0] == (PolicyRef("x", "also"), PolicyRef("x", "deny"))
    assert decide(deny, other)[2].startswith("2 policies isolate it")
    assert decide(open_a, deny)[0] == (PolicyRef("x", "deny"), PolicyRef("x", "open"))
    assert decide(open_a, deny)[1:] == (("x/open.ingress[1]",), "allowed by x/open.ingress[1]")
    assert decide(open_a, open_b)[2] == "allowed by x/more.ingress[0] and 1 more"
    assert decide(maybe)[1] == ("x/maybe.ingress[0]",)
    assert "leaves open" in decide(maybe)[2]
    assert decide(maybe, open_b)[1] == ("x/more.ingress[0]",)


def test_policies_of_other_namespaces_and_directions_are_left_out() -> None:
    """Only what isolates this end in this direction counts."""
    assert decide(policy("y/p"), policy("x/p", types=["Egress"]), policy("x/q", selector(app="b")))[0] == ()
