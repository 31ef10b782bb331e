"""Identities, the ports worth testing, and what stays UNKNOWN or UNDEFINED."""

from __future__ import annotations

import pytest

from auditor.evaluate.model import Model
from auditor.identities import UNNAMED_PORTS
from auditor.model.cluster import Pod
from auditor.model.flow import Direction, Family, Protocol, Verdict
from auditor.model.matrix import Identity, ReachabilityMatrix
from auditor.predict import predict
from tests.builders import (
    Raw,
    a_pod,
    allow,
    block,
    deny_all,
    named,
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

V4, V6 = Family.IPV4, Family.IPV6
UNNAMED = UNNAMED_PORTS[0]


def matrix(*objects: Raw) -> ReachabilityMatrix:
    return predict(snapshot(*objects), lambda pod: True)


def members(*objects: Raw) -> list[list[str]]:
    """The names of the pods of each identity."""
    return sorted(sorted(f"{pod.namespace}/{pod.name}" for pod in found.pods) for found in matrix(*objects).identities)


def the_identity(*objects: Raw) -> Identity:
    (found,) = matrix(*objects).identities
    return found


WEB = (pod("shop/w1", app="web", release="1"), pod("shop/w2", app="web", release="2"), pod("shop/api", app="api"))


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], [["shop/api", "shop/w1", "shop/w2"]]),
        ([deny_all("shop/p", app="web")], [["shop/api"], ["shop/w1", "shop/w2"]]),
        ([deny_all("shop/p", release="1")], [["shop/api", "shop/w2"], ["shop/w1"]]),
        ([deny_all("ops/p", app="web")], [["shop/api", "shop/w1", "shop/w2"]]),
        ([policy("shop/p", ingress=[allow(pods(app="web"))])], [["shop/api"], ["shop/w1", "shop/w2"]]),
        ([policy("shop/p", egress=[allow(pods(release="1"))])], [["shop/api", "shop/w2"], ["shop/w1"]]),
        ([policy("ops/p", ingress=[allow(pods(app="web"))])], [["shop/api", "shop/w1", "shop/w2"]]),
        (
            [policy("ops/p", ingress=[allow(namespaces() | pods(app="web"))])],
            [["shop/api"], ["shop/w1", "shop/w2"]],
        ),
        (
            [policy("ops/p", ingress=[allow(namespaces(team="x") | pods(app="web"))])],
            [["shop/api", "shop/w1", "shop/w2"]],
        ),
    ],
    ids=[
        "no policy",
        "subjects",
        "one label of several",
        "subjects of another namespace",
        "ingress peers",
        "egress peers",
        "peers of another policy's namespace",
        "peers of every namespace",
        "peers of namespaces that it is not",
    ],
)
def test_only_what_a_policy_can_see_tells_pods_apart(policies: list[Raw], expected: list[list[str]]) -> None:
    """Pods are one identity until a selector that may be asked about them answers differently."""
    assert members(*WEB, *policies, namespace("ops")) == expected


def test_namespaces_named_ports_and_families_tell_pods_apart() -> None:
    """Same labels are not enough: where a pod lives, what its named ports mean, and its addresses count."""
    rule = policy("a/p", ingress=[allow(ports=[tcp("http")])])

    assert members(pod("a/x"), pod("b/x")) == [["a/x"], ["b/x"]]
    assert members(rule, pod("a/x", ports=[port(80, "http")]), pod("a/y", ports=[port(81, "http")])) == [
        ["a/x"],
        ["a/y"],
    ]
    assert members(rule, pod("a/x", ports=[port(80, "other")]), pod("a/y", ports=[port(81, "more")])) == [
        ["a/x", "a/y"]
    ]
    assert members(pod("a/x", at=["10.0.0.1"]), pod("a/y", at=["fd00::1"])) == [["a/x"], ["a/y"]]
    assert members(pod("a/x", at=["10.0.0.1", "fd00::1"]), pod("a/y", at=["fd00::2", "10.0.0.2"])) == [["a/x", "a/y"]]


def test_order_of_declared_ports_tells_nobody_apart() -> None:
    """The same named ports in another order are the same ports."""
    rule = policy("a/p", ingress=[allow(ports=[tcp("dns"), udp("dns")])])
    one, other = [port(53, "dns"), port(53, "dns", "UDP")], [port(53, "dns", "UDP"), port(53, "dns")]

    assert members(rule, pod("a/x", ports=one), pod("a/y", ports=other)) == [["a/x", "a/y"]]


def test_identity_wears_only_labels_that_policies_see() -> None:
    """Labels that make no difference are not part of it, so that its stand-in wears none of them."""
    found = [item.labels for item in matrix(*WEB, deny_all("shop/p", app="web")).identities]

    assert sorted(found) == [(("app", "api"),), (("app", "web"),)]


def test_identity_is_the_same_in_every_run() -> None:
    """Ids do not depend on names, nodes, addresses or the number of pods."""
    rule = deny_all("shop/p", app="web")
    first = the_identity(rule, pod("shop/web-abc", app="web"))
    later = the_identity(rule, pod("shop/web-xyz", app="web", on="n2"), pod("shop/web-0", app="web", at=["10.9.9.9"]))

    assert first.id == later.id
    assert first.id != the_identity(rule, pod("shop/web-abc", app="api")).id


def test_labels_of_an_identity_do_not_hang_on_a_pod_name() -> None:
    """Members that wear different labels to which all selectors answer alike give the same choice in each run."""
    rule = deny_all("shop/p", app="none")
    one = the_identity(rule, pod("shop/1", app="a"), pod("shop/2", app="b"))
    other = the_identity(rule, pod("shop/1", app="b"), pod("shop/2", app="a"))

    assert (one.id, one.labels) == (other.id, other.labels)


@pytest.mark.parametrize(
    "outsider",
    [
        pod("shop/x", phase="Succeeded"),
        pod("shop/x", phase="Failed"),
        pod("shop/x", at=[]),
        pod("shop/x", spec={"hostNetwork": True}),
        pod("netaudit/x"),
        pod("netaudit-ctl-1/x"),
        pod("netaudit-conf-3/x"),
        pod("shop/netaudit-ab12cd-i0-0", owner="Deployment/netaudit-ab12cd"),
    ],
)
def test_who_is_no_identity(outsider: Raw) -> None:
    """Pods that policies do not apply to, netaudit's own namespaces, and what earlier runs left."""
    assert members(outsider, pod("shop/web")) == [["shop/web"]]


@pytest.mark.parametrize(
    "user",
    [
        pod("netaudit-app/x"),
        pod("shop/netaudit-ui-7f9c-x2k4l", owner="ReplicaSet/netaudit-ui-7f9c", hashed="7f9c"),
        pod("shop/netaudit-ab12cd-i0-0"),
        pod("shop/netaudit-db-0", owner="StatefulSet/netaudit-db"),
    ],
)
def test_users_things_that_are_called_alike_are_audited(user: Raw) -> None:
    """A name that begins like ours does not take a workload out of the audit."""
    name = user["metadata"]["name"]

    assert members(user) == [[f"{user['metadata']['namespace']}/{name}"]]


def test_coverage_is_chosen_by_the_caller() -> None:
    """The model sees the whole cluster, but only pods that are covered become identities."""
    found = predict(snapshot(*WEB), lambda pod: pod.name == "api")

    assert [item.title for item in found.identities] == ["shop/api"]


def listens(*objects: Raw) -> tuple[int, ...]:
    return tuple(port for protocol, port in the_identity(*objects).listens if protocol is Protocol.TCP)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], (80, UNNAMED)),
        ([policy("shop/p", ingress=[allow(ports=[tcp(443)])])], (80, 443, UNNAMED)),
        ([policy("shop/p", ingress=[allow(ports=[tcp(1000, 1010)])])], (80, 1000, 1010, UNNAMED)),
        ([policy("shop/p", ingress=[allow(ports=[udp(53)])])], (80, UNNAMED)),
        ([policy("shop/p", selector(app="none"), ingress=[allow(ports=[tcp(443)])])], (80, UNNAMED)),
        ([policy("ops/p", egress=[allow(namespaces(), ports=[tcp(443)])])], (80, 443, UNNAMED)),
        ([policy("ops/p", egress=[allow(ports=[tcp(444)])])], (80, 444, UNNAMED)),
        ([policy("ops/p", egress=[allow(pods(app="x"), ports=[tcp(443)])])], (80, UNNAMED)),
        ([policy("shop/p", ingress=[allow(ports=[tcp(UNNAMED)])])], (80, UNNAMED, UNNAMED_PORTS[1])),
        ([policy("shop/p", ingress=[allow(ports=[tcp(8000, 20000)])])], (80, 8000, 20000, UNNAMED_PORTS[2])),
        ([policy("shop/p", ingress=[allow(ports=[tcp(1, 65535)])])], (1, 80, 65535)),
        ([policy("shop/p", ingress=[allow(ports=[tcp()])])], (80, UNNAMED)),
    ],
    ids=[
        "declared",
        "named by a rule",
        "edges of a range",
        "a rule about UDP names no port of TCP",
        "rules about others",
        "egress rules towards it",
        "egress rules towards anybody",
        "egress rules towards others",
        "a rule names the unnamed one",
        "a range holds it",
        "nothing is unnamed",
        "all ports name none",
    ],
)
def test_ports_worth_testing(policies: list[Raw], expected: tuple[int, ...]) -> None:
    """Declared ports, those that rules about the pod name, and one that nobody names."""
    found = listens(pod("shop/web", ports=[port(80), port(53, "dns", "UDP")]), *policies)

    assert found == tuple(sorted(expected))


def test_isolation_of_an_identity() -> None:
    """The directions in which any policy selects its members."""
    assert the_identity(pod("shop/web"), deny_all("shop/p", "Egress")).isolated == {Direction.EGRESS}
    assert the_identity(pod("shop/web"), deny_all("shop/p", "Egress", app="x")).isolated == frozenset()


def test_cells() -> None:
    """A cell is asked only where the port is the destination's and both ends have the family."""
    objects = [pod("a/x", at=["10.0.0.1"], ports=[port(80)]), pod("b/y", at=["10.0.0.2", "fd00::2"], ports=[port(81)])]
    found = matrix(*objects, deny_all("b/p", "Ingress"))

    assert [item.title for item in found.identities] == ["a/x", "b/y"]
    assert found.cell(0, 1, V4, 81) is Verdict.DENIED
    assert found.cell(1, 0, V4, 80) is Verdict.ALLOWED
    assert found.cell(0, 1, V4, 80) is None
    assert found.cell(0, 1, V6, 81) is None
    assert found.cell(1, 1, V6, 81) is Verdict.DENIED


def test_replicas_of_one_identity_are_not_one_pod() -> None:
    """The diagonal is between two members, which policies may part, and never loopback."""
    found = matrix(pod("a/x"), deny_all("a/p", "Ingress"))

    assert found.cell(0, 0, V4, UNNAMED) is Verdict.DENIED


def decide(*objects: Raw, source: Pod, destination: Pod) -> Verdict:
    return Model(snapshot(namespace("a"), namespace("b"), *objects)).decide(source, destination, V4, 80).verdict


A, B = a_pod("a/x"), a_pod("b/y")


def test_unknown_comes_before_all() -> None:
    """Where something unmodelled may decide, not even a denial that is certain counts."""
    closed = deny_all("b/p")

    assert decide(closed, named("EgressFirewall", "a/l7"), source=A, destination=B) is Verdict.UNKNOWN
    assert decide(closed, named("EgressFirewall", "b/l7"), source=A, destination=B) is Verdict.UNKNOWN
    assert decide(closed, named("EgressFirewall", "c/l7"), source=A, destination=B) is Verdict.DENIED
    assert decide(named("ClusterNetworkPolicy (Antrea)", "wide"), source=A, destination=B) is Verdict.UNKNOWN


def test_namespace_that_was_not_read_is_unknown_where_its_labels_decide() -> None:
    """Nobody can say whether a selector matches labels that are not known; a name is known."""
    gone = Pod("gone", "z", addresses=("10.0.0.9",))
    by_label = policy("a/p", ingress=[allow(namespaces(team="x"))])
    by_name = policy("a/p", ingress=[allow(namespaces(("kubernetes.io/metadata.name", "In", ["gone"])))])
    by_both = policy("a/p", ingress=[allow(namespaces(("kubernetes.io/metadata.name", "In", ["b"]), team="x"))])

    assert decide(source=A, destination=gone) is Verdict.ALLOWED
    assert decide(by_label, source=gone, destination=A) is Verdict.UNKNOWN
    assert decide(by_label, source=B, destination=A) is Verdict.DENIED
    assert decide(by_name, source=gone, destination=A) is Verdict.ALLOWED
    assert decide(by_both, source=gone, destination=A) is Verdict.DENIED


def test_host_network_is_undefined() -> None:
    """S19: what policies mean for such pods is left open, at either end."""
    host = a_pod("a/h", spec={"hostNetwork": True})

    assert decide(deny_all("a/p"), source=host, destination=B) is Verdict.UNDEFINED
    assert decide(deny_all("a/p"), source=B, destination=host) is Verdict.UNDEFINED


def test_blocks_stay_undefined_and_say_so() -> None:
    """An ipBlock that holds a pod is neither a yes nor a no."""
    open_block = policy("b/p", ingress=[allow(block("0.0.0.0/0"))])
    model = Model(snapshot(namespace("a"), open_block))
    decision = model.decide(A, B, V4, 80)

    assert decision.verdict is Verdict.UNDEFINED
    assert "b/p.ingress[0] has an ipBlock" in decision.reason
    assert decision.deniers == ()


def test_own_namespaces_may_be_given_beforehand() -> None:
    """Namespaces that do not exist yet are known by the labels that they will have; real ones win."""
    extra = snapshot(namespace("ours", team="x")).namespaces
    peer = policy("a/p", ingress=[allow(namespaces(team="x"))])
    ours = Pod("ours", "z", addresses=("10.0.0.9",))
    model = Model(snapshot(namespace("a"), peer), extra)
    real = Model(snapshot(namespace("a"), namespace("ours"), peer), extra)

    assert model.decide(ours, A, V4, 80).verdict is Verdict.ALLOWED
    assert real.decide(ours, A, V4, 80).verdict is Verdict.DENIED
