"""What Cilium's policies are translated into: sections, their order and names, and notes."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.fields import FieldError
from auditor.evaluate.model import Model
from auditor.model.cluster import PolicyObject
from auditor.model.dialect import API
from auditor.model.flow import Direction, Family, Protocol, Verdict
from auditor.model.rules import MIDDLE, MIDDLE_RANK, Action, Ports, PortTerm, Section, Translation
from auditor.policy import POLICY_APIS
from auditor.policy.cilium_selector import split_key
from tests.builders import RESOURCES, Raw, pod, port, snapshot
from tests.cilium import app, cnp, config, tcp
from tests.cilium_cases import OF_NAMESPACE
from tests.unit.policy.cilium_scene import scene


def translate(raw: Raw, *around: Raw) -> Translation:
    """Translate one object that stands among others."""
    kind, metadata = raw["kind"], raw["metadata"]
    item = PolicyObject(RESOURCES[kind], kind, metadata.get("namespace", ""), metadata["name"], raw)
    return POLICY_APIS[item.resource](snapshot(config(), *around), API)(item)


def sections(raw: Raw, *around: Raw) -> dict[tuple[str, str], Section]:
    """Sections by direction and what their first clause does; an empty one allows."""
    return {(item.direction.value, _does(item)): item for item in translate(raw, *around).sections}


def _does(section: Section) -> str:
    doubt = bool(section.clauses and section.clauses[0].unsure)
    return "doubt" if doubt else section.clauses[0].action.value if section.clauses else "isolate"


BOTH = {
    "endpointSelector": {},
    "ingressDeny": [{"fromEndpoints": [app("x")]}],
    "ingress": [{}, {"fromEndpoints": [app("y")], "toPorts": [{**tcp("80")[0], "rules": {"http": [{}]}}]}],
    "egress": [{}],
}


def test_sections_stand_in_the_tier_of_network_policy() -> None:
    found = translate(cnp("a/p", **BOTH)).sections

    assert {MIDDLE} == {item.tier for item in found}
    assert {"CiliumNetworkPolicy"} == {item.ref.kind for item in found}


def test_what_denies_is_asked_first_then_what_may_deny() -> None:
    found = sections(cnp("a/p", **BOTH))

    ranks = [found["Ingress", does].rank for does in ("deny", "doubt", "allow")]
    assert ranks == sorted(ranks)
    assert MIDDLE_RANK == ranks[-1]
    assert MIDDLE_RANK == found["Egress", "isolate"].rank


def test_doubt_isolates_nobody() -> None:
    isolating = {does: item.isolates for (_, does), item in sections(cnp("a/p", **BOTH)).items()}

    assert {"deny": True, "allow": True, "isolate": True, "doubt": False} == isolating


def test_object_that_cannot_be_read_isolates_nobody() -> None:
    found = translate(cnp("a/p", endpointSelector={}, ingress=[{"fromEntities": ["everybody"]}])).sections

    assert [False, False] == [item.isolates for item in found]


def test_pod_on_its_nodes_network_is_its_node_to_cilium_whatever_the_api_leaves_open() -> None:
    found = scene(
        cnp("b/p", endpointSelector={}, ingress=[{}]),
        cnp("a/p", endpointSelector=app("srv"), ingress=[{"fromEndpoints": [{"matchLabels": {OF_NAMESPACE: "b"}}]}]),
    )
    pods = {f"{item.namespace}/{item.name}": item for item in found.pods}
    model = Model(found)

    def says(source: str, target: str) -> Verdict:
        return model.decide(pods[source], pods[target], Family.IPV4, 8080).verdict

    assert (Verdict.DENIED, Verdict.ALLOWED) == (says("b/host", "a/srv"), says("b/cli", "a/srv"))
    assert Verdict.ALLOWED is says("a/cli", "b/host")


def test_directions_without_default_deny() -> None:
    found = sections(cnp("a/p", **BOTH, enableDefaultDeny={"ingress": False}))

    assert [False, False, True] == [
        found["Ingress", "deny"].isolates,
        found["Ingress", "allow"].isolates,
        found["Egress", "isolate"].isolates,
    ]


def test_places_are_named_as_they_are_written() -> None:
    one: Raw = {"fromEndpoints": [{}]}
    other: Raw = {"fromEntities": ["all"]}
    several = cnp(
        "p", {"endpointSelector": {}, "ingress": [one]}, {"endpointSelector": {}, "ingressDeny": [one, other]}
    )

    paths = [clause.path for item in translate(several).sections for clause in item.clauses]

    assert ["specs[0].ingress[0]", "specs[1].ingressDeny[0]", "specs[1].ingressDeny[1]"] == paths
    assert ["ingressDeny[0]", "ingress[1]"] == [
        sections(cnp("a/p", **BOTH))["Ingress", does].clauses[0].path for does in ("deny", "allow")
    ]


def test_spec_and_specs_both_count() -> None:
    both = cnp("a/p", {"endpointSelector": {}, "ingress": [{}]}, endpointSelector={}, egress=[{}])

    assert {Direction.INGRESS, Direction.EGRESS} == {item.direction for item in translate(both).sections}


def ports_of(*ports: Raw, egress: bool = False, around: tuple[Raw, ...] = ()) -> list[PortTerm]:
    way = "egress" if egress else "ingress"
    (section,) = translate(
        cnp("a/p", endpointSelector={}, **{way: [{"toPorts": [{"ports": list(ports)}]}]}), *around
    ).sections
    (clause,) = section.clauses
    assert Action.ALLOW is clause.action
    (found,) = clause.ports
    assert isinstance(found, Ports)
    return list(found.terms)


TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"port": "80", "protocol": "TCP"}, [PortTerm(TCP, 80, 80)]),
        ({"port": "80"}, [PortTerm(None, 80, 80)]),
        ({"port": "80", "protocol": "ANY"}, [PortTerm(None, 80, 80)]),
        ({"port": "0", "protocol": "UDP"}, [PortTerm(UDP)]),
        ({"port": "0"}, [PortTerm(None)]),
        ({"port": "0", "endPort": 65535}, [PortTerm(None)]),
        ({"port": "80", "endPort": 90, "protocol": "TCP"}, [PortTerm(TCP, 80, 90)]),
        ({"port": "80", "endPort": 70, "protocol": "TCP"}, [PortTerm(TCP, 80, 80)]),
        ({"port": "80", "endPort": 0, "protocol": "TCP"}, [PortTerm(TCP, 80, 80)]),
        ({"port": "80", "protocol": "ICMP"}, []),
        ({"port": "0", "protocol": "VRRP"}, []),
        ({"port": "Web-1", "protocol": "UDP"}, [PortTerm(UDP, name="web-1")]),
        ({"port": "0x10", "protocol": "TCP"}, [PortTerm(TCP, name="0x10")]),
        ({"port": "web"}, [PortTerm(protocol, name="web") for protocol in (TCP, UDP, SCTP)]),
    ],
    ids=str,
)
def test_ports(raw: Raw, expected: list[PortTerm]) -> None:
    assert expected == ports_of(raw)


def test_name_under_egress_is_looked_up_among_all_pods() -> None:
    pods = (
        pod("x/a", ports=[port(80, "web"), port(53, "dns", "UDP")]),
        pod("y/b", ports=[port(80, "web"), port(54, "dns")]),
        pod("z/c", phase="Succeeded", ports=[port(99, "web")]),
        pod("z/d", spec={"hostNetwork": True}, ports=[port(99, "web")]),
    )

    assert [PortTerm(TCP, 80, 80)] == ports_of({"port": "WEB"}, egress=True, around=pods)
    assert [PortTerm(TCP, 54, 54), PortTerm(UDP, 53, 53)] == ports_of({"port": "dns"}, egress=True, around=pods)


def test_name_of_several_numbers_is_ignored_and_noted() -> None:
    pods = (pod("x/a", ports=[port(80, "web")]), pod("y/b", ports=[port(81, "web")]))
    raw = cnp("a/p", endpointSelector={}, egress=[{"toPorts": tcp("web", "443")}])

    assert [PortTerm(TCP, 443, 443)] == ports_of(*tcp("web", "443")[0]["ports"], egress=True, around=pods)
    (note,) = translate(raw, *pods).notes
    assert note.startswith("CiliumNetworkPolicy a/p: egress[0].toPorts[0].ports[0] names port web, ")


NOTED = [
    ({"spec": {"endpointSelector": {}}}, "it has no rule"),
    ({"spec": {"endpointSelector": {}, "ingress": [], "egress": None}}, "it has no rule"),
    ({}, "it has no rule"),
    ({"specs": []}, "it has no rule"),
    ({"spec": {"nodeSelector": {}, "ingress": [{}]}}, "the host firewall is off"),
    ({"spec": {"endpointSelector": {}, "ingress": [{"fromGroups": [{"aws": {}}]}]}}, "groups of a provider"),
]


@pytest.mark.parametrize(("body", "text"), NOTED, ids=str)
def test_what_has_no_effect_is_noted(body: Raw, text: str) -> None:
    found = translate({**cnp("p"), **body})

    assert () == found.sections
    (note,) = found.notes
    assert note.startswith("CiliumClusterwideNetworkPolicy p: ")
    assert text in note


@pytest.mark.parametrize("body", [{"spec": []}, {"specs": {}}, {"spec": {"endpointSelector": []}}], ids=str)
def test_object_without_a_readable_subject(body: Any) -> None:
    with pytest.raises(FieldError):
        translate({**cnp("a/p"), **body})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", ("", "app")),
        ("k8s:app", ("k8s", "app")),
        ("any:app", ("any", "app")),
        ("reserved:host", ("reserved", "host")),
        ("reserved.host", ("reserved", "host")),
        ("$host", ("reserved", "host")),
        ("k8s.app", ("", "k8s.app")),
        (":app", ("", "app")),
    ],
)
def test_source_and_key_of_a_label(text: str, expected: tuple[str, str]) -> None:
    assert expected == split_key(text)
