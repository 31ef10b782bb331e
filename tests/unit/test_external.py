"""What `--external` says, and which address of a block is tried."""

from __future__ import annotations

import pytest

from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.external import MOST, Own, choose, parse_externals
from auditor.model.cluster import Snapshot
from auditor.model.expectation import Wish
from auditor.model.flow import Family, Protocol
from auditor.model.handshake import External
from tests.builders import Raw, allow, block, named, node, pod, policy, snapshot


def one(text: str) -> External:
    (found,) = parse_externals([text])
    return found


@pytest.mark.parametrize(
    ("text", "cidr", "port", "protocol", "wish"),
    [
        ("203.0.113.7:443=allow", "203.0.113.7/32", 443, Protocol.TCP, Wish.ALLOWED),
        ("203.0.113.0/24:53/UDP=deny", "203.0.113.0/24", 53, Protocol.UDP, Wish.DENIED),
        ("203.0.113.7:1/tcp=model", "203.0.113.7/32", 1, Protocol.TCP, None),
        ("[2001:db8::1]:443=deny", "2001:db8::1/128", 443, Protocol.TCP, Wish.DENIED),
        ("[2001:db8::/64]:65535/SCTP=model", "2001:db8::/64", 65535, Protocol.SCTP, None),
        (" 169.254.169.254:80=deny ", "169.254.169.254/32", 80, Protocol.TCP, Wish.DENIED),
    ],
)
def test_each_form_is_read(text: str, cidr: str, port: int, protocol: Protocol, wish: Wish | None) -> None:
    assert one(text) == External(cidr, port, protocol, wish)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not CIDR:PORT"),
        ("203.0.113.7:443", "it is not CIDR:PORT"),
        ("example.com:443=deny", "it is not CIDR:PORT"),
        ("2001:db8::1:443=deny", "it is not CIDR:PORT"),
        ("203.0.113.7:0=deny", "ports are numbers"),
        ("203.0.113.7:0443=deny", "ports are numbers"),
        ("203.0.113.7:65536=deny", "ports are numbers"),
        ("203.0.113.7:https=deny", "ports are numbers"),
        ("203.0.113.7:443/ICMP=deny", "policies know TCP"),
        ("203.0.113.7:443=denied", "allow, deny, or model"),
        ("203.0.113.7/24:443=deny", "has host bits set"),
        ("203.0.113.777:443=deny", "does not appear to be"),
        ("127.0.0.1:443=deny", "are loopback"),
        ("224.0.0.1:443=deny", "are multicast"),
        ("0.0.0.0/0:443=deny", "are unspecified"),
        ("[::1]:443=deny", "are loopback"),
        ("[::ffff:10.0.0.1]:443=deny", "it hides IPv4 addresses"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_externals([text])
    assert why in caught.value.why
    assert "--external" in caught.value.attempt


def test_the_same_twice_counts_once_and_a_contradiction_is_refused() -> None:
    assert len(parse_externals(["203.0.113.7:443=allow", "203.0.113.7/32:443/TCP=allow"])) == 1
    with pytest.raises(UsageError, match="contradicts"):
        parse_externals(["203.0.113.7:443=allow", "203.0.113.7:443=model"])


def test_it_is_no_scanner() -> None:
    with pytest.raises(UsageError, match="too many"):
        parse_externals([f"203.0.113.7:{port}=deny" for port in range(1, MOST + 2)])


def test_title_is_the_address_alone_where_it_is_one() -> None:
    titles = [one(f"{text}:1=deny").title for text in ("203.0.113.7/32", "203.0.113.0/31", "[2001:db8::1]")]

    assert titles == ["203.0.113.7", "203.0.113.0/31", "2001:db8::1"]


# --- which address is tried ---


def chosen(text: str, *objects: Raw) -> tuple[list[str], int]:
    found, left = choose(one(text), Model(snapshot(*objects)))
    return [f"{item.address} {item.part}".strip() for item in found], left


@pytest.mark.parametrize(
    ("text", "tried"),
    [
        ("203.0.113.7:1=deny", "203.0.113.7"),
        ("203.0.113.0/24:1=deny", "203.0.113.1 the first usable of 203.0.113.0/24 (256 addresses)"),
        ("203.0.113.6/31:1=deny", "203.0.113.6 the first usable of 203.0.113.6/31 (2 addresses)"),
        ("[2001:db8::/126]:1=deny", "2001:db8::1 the first usable of 2001:db8::/126 (4 addresses)"),
    ],
)
def test_a_block_is_tried_at_its_first_usable_address(text: str, tried: str) -> None:
    assert chosen(text) == ([tried], 0)


def test_a_part_that_policies_tell_apart_has_an_address_of_its_own() -> None:
    """Nothing may be said of the part that nobody tried."""
    rule = policy("shop/out", egress=[allow(block("203.0.113.128/25", "203.0.113.255/32"))])

    assert chosen("203.0.113.0/24:1=deny", rule) == (
        [
            "203.0.113.1 the first usable of 203.0.113.0 to 203.0.113.127 (128 addresses)",
            "203.0.113.128 the first usable of 203.0.113.128 to 203.0.113.254 (127 addresses)",
        ],
        1,  # the broadcast address
    )


def test_of_many_parts_only_a_few_are_tried_and_the_others_are_counted() -> None:
    holes = [f"203.0.113.{number}/32" for number in range(10, 20, 2)]

    found, left = chosen("203.0.113.0/24:1=deny", policy("shop/out", egress=[allow(block("203.0.113.0/24", *holes))]))

    assert (len(found), left) == (3, 8)


def service(name: str, **fields: object) -> Raw:
    spec = {key: value for key, value in fields.items() if key != "balancer"}
    status = {"loadBalancer": {"ingress": [{"ip": fields["balancer"]}, {"hostname": "lb.example"}]}}
    return {**named("Service", f"shop/{name}"), "spec": spec, "status": status if "balancer" in fields else {}}


def a_node(name: str, address: str, *ranges: str) -> Raw:
    made = node(name)
    status = {**made["status"], "addresses": [{"type": "InternalIP", "address": address}]}
    return {**made, "spec": {"podCIDRs": list(ranges)}, "status": status}


CLUSTER = (
    pod("shop/web", at=["10.0.0.1", "2001:db8::1"]),
    pod("shop/done", at=["10.0.0.2"], phase="Succeeded"),
    pod("shop/host", at=["198.51.100.3"], spec={"hostNetwork": True}),
    service("inner", clusterIPs=["10.96.0.1"], externalIPs=["198.51.100.9"], balancer="198.51.100.10"),
    a_node("n1", "198.51.100.3", "10.244.0.0/24", "fd00:1::/64"),
)


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("10.0.0.1", "pod shop/web"),
        ("[2001:db8::1]", "pod shop/web"),
        ("198.51.100.3", "node n1"),
        ("10.96.0.1", "Service shop/inner"),
        ("198.51.100.9", "Service shop/inner"),
        ("198.51.100.10", "Service shop/inner"),
        ("10.244.0.77", "the pods of node n1"),
        ("[fd00:1::77]", "the pods of node n1"),
    ],
)
def test_what_is_the_clusters_own_is_refused(text: str, whose: str) -> None:
    with pytest.raises(UsageError, match="not outside") as caught:
        chosen(f"{text}:80=allow", *CLUSTER)
    assert whose in caught.value.why


def test_address_that_was_given_back_is_nobodys() -> None:
    assert chosen("10.0.0.2:80=allow", *CLUSTER) == (["10.0.0.2"], 0)


def test_api_server_is_the_clusters_own() -> None:
    subset = {"addresses": ["192.0.2.5"], "conditions": {"ready": True}}
    found: Snapshot = snapshot(
        {**named("Service", "default/kubernetes"), "spec": {"clusterIPs": ["10.96.0.1"]}},
        {
            **named("EndpointSlice", "default/kubernetes", labels={"kubernetes.io/service-name": "kubernetes"}),
            "addressType": "IPv4",
            "endpoints": [subset],
            "ports": [{"name": "https", "port": 6443}],
        },
    )

    assert Own(found).owner("192.0.2.5") == "the API server"


def test_a_block_is_tried_behind_what_is_the_clusters_own() -> None:
    objects = (pod("shop/web", at=["10.0.0.1"]), a_node("n1", "10.0.0.2", "10.128.0.0/9"))

    assert chosen("10.0.0.0/29:80=deny", *objects) == (["10.0.0.3 the first usable of 10.0.0.0/29 (8 addresses)"], 0)


def test_a_block_inside_the_range_of_pods_has_nothing_to_try() -> None:
    with pytest.raises(UsageError, match="not outside"):
        chosen("10.244.0.128/25:80=deny", *CLUSTER)


def test_range_is_passed_in_one_step() -> None:
    own = Own(snapshot(a_node("n1", "10.0.0.2", "10.128.0.0/9")))

    assert own.beyond(int.from_bytes(bytes([10, 128, 0, 5])), Family.IPV4) == int.from_bytes(bytes([11, 0, 0, 0]))
