"""What words mean."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest

from auditor.errors import UsageError
from auditor.model.cluster import Pod
from auditor.model.ends import Address
from auditor.model.flow import Family
from auditor.services import Services
from auditor.targets import MOST_PARTS, Target, Targets, port_of
from tests.builders import Raw, allow, block, namespace, node, pod, policy
from tests.unit.explaining import leading, model_of, on_host, service

SHOP = (
    pod("shop/web-0", owner="StatefulSet/web", at=["10.0.0.1", "fd00::1"]),
    pod("shop/web-1", owner="StatefulSet/web", at=["10.0.0.2"]),
    pod("shop/db", owner="Deployment/db", at=["10.0.0.3"]),
    pod("svc/api", at=["10.0.1.1"]),
    service("shop/front", leading(80), at=["10.96.0.1", "fd00:96::1"], selects={"app": "web"}),
    service("default/api", leading(80)),
)


STRANGE = ("\x1b[31m", "10.0.0.1%eth0", "fe80::1%1", "s", "ns/", "shop/ns/db", "shop/banana/db", "10.0.0.0/８", "*")
WRONG = ("80/ICMP", "80/tcp/udp", "80/ＴＣＰ", "é", "http_alt", "80.0", "٨٠")


def find(word: str, *more: Raw, home: str = "shop") -> Target:
    model = model_of(*SHOP, *more)
    return Targets(model, Services(model), home).find(word)


def names(target: Target) -> list[str]:
    return [end.name if isinstance(end, Pod) else end.ip for end in target.ends]


@pytest.mark.parametrize(
    ("word", "title", "ends"),
    [
        ("shop/db", "shop/db", ["db"]),
        ("db", "shop/db", ["db"]),
        ("shop", "namespace shop", ["db", "web-0", "web-1"]),
        ("ns/shop", "namespace shop", ["db", "web-0", "web-1"]),
        ("namespaces/shop", "namespace shop", ["db", "web-0", "web-1"]),
        ("web", "shop/web", ["web-0", "web-1"]),
        ("shop/web", "shop/web", ["web-0", "web-1"]),
        ("sts/web", "shop/web", ["web-0", "web-1"]),
        ("StatefulSets/web", "shop/web", ["web-0", "web-1"]),
        ("shop/statefulset/web", "shop/web", ["web-0", "web-1"]),
        ("shop/pod/web-1", "shop/web-1", ["web-1"]),
        ("po/web-1", "shop/web-1", ["web-1"]),
        ("shop/deploy/db", "shop/db", ["db"]),
        ("10.0.0.3", "shop/db", ["db"]),
        ("::ffff:10.0.0.3", "shop/db", ["db"]),
        ("10.0.0.3/32", "shop/db", ["db"]),
        ("192.0.2.1", "192.0.2.1", ["192.0.2.1"]),
        ("2001:DB8::0:1", "2001:db8::1", ["2001:db8::1"]),
        # A namespace comes before a kind.
        ("svc/api", "svc/api", ["api"]),
    ],
)
def test_words(word: str, title: str, ends: list[str]) -> None:
    found = find(word)

    assert (title, ends, None) == (found.title, names(found), found.service)


@pytest.mark.parametrize("word", ["shop/front", "svc/front", "shop/svc/front", "front", "10.96.0.1", "fd00:96::1"])
def test_services(word: str) -> None:
    found = find(word)

    assert found.service is not None
    assert ("Service shop/front", "front", ()) == (found.title, found.service.name, found.ends)


def test_service_in_the_shadow_of_a_namespace_is_reached_by_its_own() -> None:
    assert "Service default/api" == find("default/svc/api").title


def test_pod_comes_before_a_workload_of_its_name() -> None:
    pods = (pod("ops/x", owner="Deployment/y", at=["10.9.0.1"]), pod("ops/y-1", owner="Deployment/x", at=["10.9.0.2"]))

    assert ["x"] == names(find("ops/x", *pods))
    assert ["y-1"] == names(find("ops/deployment/x", *pods))


def test_namespace_of_digits_is_no_address() -> None:
    digits = pod("123/web")

    assert "namespace 123" == find("123", digits).title
    assert "123/web" == find("123/web", digits).title
    assert "1/2" == find("1/2", pod("1/2")).title


def test_address_of_a_pod_has_one_family() -> None:
    assert [(Family.IPV4,), (Family.IPV6,), tuple(Family)] == [
        find(word).families for word in ("10.0.0.1", "fd00::1", "shop/web-0")
    ]


def test_pods_on_the_host_network_are_ends() -> None:
    host = pod("shop/agent", owner="DaemonSet/agent", **on_host("192.168.0.1"))

    assert ["agent"] == names(find("ds/agent", host)) == names(find("shop/pod/agent", host))
    # The address is the node's, and not this one's alone.
    assert ["192.168.0.1"] == names(find("192.168.0.1", host))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (pod("ops/job", phase="Succeeded"), "pod ops/job has finished, and has given its address back"),
        (pod("ops/job", at=[]), "pod ops/job has no address yet"),
    ],
)
def test_pod_that_is_no_end_says_why(made: Raw, why: str) -> None:
    found = find("ops/job", made)

    assert ((), (why,)) == (found.ends, found.notes)


def test_empty_namespace_says_that_it_is_empty() -> None:
    assert ("namespace empty has no pod that sends or receives",) == find("empty", namespace("empty")).notes


@pytest.mark.parametrize(
    "word",
    [
        "",
        "/",
        "//",
        "shop/",
        "/db",
        "shop/db/",
        "a/b/c/d",
        "shop/nobody",
        "pod/nobody",
        "DB",
        "shop\n",
        "x" * 10**6,
        "\x1b[31m",
        "10.0.0.1%eth0",
        "fe80::1%1",
        "s",
        "ns/",
        "shop/ns/db",
        "shop/banana/db",
        "10.0.0.0/８",
        "*",
    ],
)
def test_what_nothing_is_called(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(word)

    assert len(str(caught.value.args)) < 1000


@pytest.mark.parametrize(
    "word", ["10.0.0.300", "10.0.0.0/33", "1.2.3", "1:2", ":", "010.0.0.1", "::/129", "1.2.3.4/8/8"]
)
def test_what_looks_like_an_address_and_is_none(word: str) -> None:
    with pytest.raises(UsageError):
        find(word)


def test_nearest_names_are_offered() -> None:
    with pytest.raises(UsageError) as caught:
        find("shop/web-2")

    assert "shop/web-1" in caught.value.attempt


def cut(*blocks: Raw) -> Raw:
    return policy("shop/p", egress=[allow(*blocks)])


def test_block_is_divided_where_policies_divide_it() -> None:
    found = find("192.0.2.0/24", cut(block("192.0.2.64/26", "192.0.2.96/28"), block("0.0.0.0/0"), block("::/0")))

    assert ["192.0.2.0", "192.0.2.64", "192.0.2.96", "192.0.2.112", "192.0.2.128"] == names(found)
    assert ("192.0.2.0/24", ()) == (found.title, found.notes)


def test_block_that_policies_do_not_divide_is_one_address() -> None:
    assert ["192.0.2.0"] == names(find("192.0.2.7/24", cut(block("192.0.0.0/16"))))
    assert ["192.0.2.0"] == names(find("::ffff:192.0.2.0/120"))


def test_addresses_of_pods_and_nodes_are_left_out_of_a_block() -> None:
    n1 = {**node("n1"), "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.0"}]}}
    found = find("10.0.0.0/29", n1, cut(block("10.0.0.4/32")))

    assert ["10.0.0.4", "10.0.0.5"] == names(found)
    assert ("4 of its addresses are those of pods and nodes, which are not meant here: name them",) == found.notes


def test_block_full_of_pods_has_no_other_address() -> None:
    full = find("10.7.0.0/30", *(pod(f"ops/p{number}", at=[f"10.7.0.{number}"]) for number in range(4)))

    assert ((), 1) == (full.ends, len(full.notes))


def test_addresses_are_found_behind_many_that_are_taken() -> None:
    taken = [pod(f"ops/p{number}", at=[f"10.7.{number >> 8}.{number & 255}"]) for number in range(300)]

    assert ["10.7.1.44"] == names(find("10.7.0.0/16", *taken))


def test_only_so_many_parts_are_told_apart() -> None:
    blocks = [block(f"192.{number >> 7}.{(number & 127) * 2}.0/24") for number in range(MOST_PARTS)]
    found = find("192.0.0.0/8", cut(*blocks))

    assert MOST_PARTS == len(found.ends)
    (note,) = found.notes
    assert note.startswith("policies divide it into ")


def test_internet_is_public_addresses_of_both_families() -> None:
    found = find("Internet", cut(block("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12"), block("8.8.8.0/24")))

    assert all(isinstance(end, Address) and ip_address(end.ip).is_global for end in found.ends)
    assert ["1.0.0.0", "8.8.8.0", "8.8.9.0", "11.0.0.0", "172.32.0.0", "2000::"] == names(found)


def test_internet_without_policies_is_one_address_of_each_family() -> None:
    assert ["1.0.0.0", "2000::"] == names(find("internet"))


def test_internet_leaves_out_what_is_a_node_s() -> None:
    n1 = {**node("n1"), "status": {"addresses": [{"type": "ExternalIP", "address": str(IPv4Address(1 << 24))}]}}

    assert ["1.0.0.1", "2000::"] == names(find("internet", n1))


@pytest.mark.parametrize(
    ("word", "given", "meant"),
    [
        ("80", None, ("TCP", 80)),
        ("80", "UDP", ("UDP", 80)),
        ("53/udp", None, ("UDP", 53)),
        ("65535/SCTP", None, ("SCTP", 65535)),
        ("1", None, ("TCP", 1)),
        ("http", None, ("TCP", "http")),
        ("80/", None, ("TCP", 80)),
        ("8-a", None, ("TCP", "8-a")),
    ],
)
def test_ports(word: str, given: str | None, meant: tuple[str, int | str]) -> None:
    assert meant == port_of(word, given)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "0",
        "080",
        "65536",
        "0000000080",
        "9" * 5000,
        "-1",
        "a-",
        "a--b",
        "8-0",
        "+80",
        "8_0",
        "８０",
        "80 ",
        " 80",
        "80\n",
        "HTTP",
        "a" * 16,
        "80/ICMP",
        "80/tcp/udp",
        "80/ＴＣＰ",
        "é",
        "http_alt",
        "80.0",
        "٨٠",
    ],
)
def test_what_is_no_port(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        port_of(word, None)

    assert len(str(caught.value.args)) < 1000
