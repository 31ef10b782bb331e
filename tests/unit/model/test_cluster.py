"""Small questions that the frozen values answer themselves."""

from __future__ import annotations

import pytest

from auditor.model.cluster import ContainerPort, Owner, Pod
from auditor.model.finding import Severity
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, PolicyRef, Protocol, Verdict
from auditor.model.matrix import Identity
from tests.builders import a_pod, snapshot
from tests.evidence import decision, end


@pytest.mark.parametrize(
    ("more", "talks"),
    [
        ({}, True),
        ({"phase": "Pending"}, True),
        ({"phase": "Hibernating"}, True),
        ({"phase": "Succeeded"}, False),
        ({"phase": "Failed"}, False),
        ({"at": ()}, False),
        ({"spec": {"hostNetwork": True}}, False),
    ],
    ids=["running", "pending", "a future phase", "succeeded", "failed", "no address", "host network"],
)
def test_pods_that_policies_apply_to(more: dict[str, object], talks: bool) -> None:
    """A pod with an address of its own that has not finished, whatever a later API calls its phase."""
    assert a_pod("shop/web", **more).talks is talks


def test_address_is_the_first_of_its_family() -> None:
    """Families are told apart by the address alone, and a missing one is None."""
    both = Pod("shop", "web", addresses=("fd00::1", "10.0.0.1", "10.0.0.2"))

    assert (both.address(Family.IPV4), both.address(Family.IPV6)) == ("10.0.0.1", "fd00::1")
    assert both.families == (Family.IPV4, Family.IPV6)
    assert Pod("shop", "web", addresses=("10.0.0.1",)).address(Family.IPV6) is None


def test_ports_of_other_protocols_are_other_ports() -> None:
    """DNS over UDP is not DNS over TCP."""
    assert ContainerPort("dns", 53, Protocol.TCP) != ContainerPort("dns", 53, Protocol.UDP)


def identity(*pods: Pod) -> Identity:
    return Identity("id", "shop", (), (), pods, ((Protocol.TCP, 80),), frozenset())


def test_identity_is_called_by_its_workloads() -> None:
    """Each workload once, three by name, and the number of the others."""
    members = [a_pod(f"shop/p{number}", owner=f"StatefulSet/s{number % 5}", on=f"n{number % 2}") for number in range(9)]
    many = identity(*members, Pod("shop", "bare", node=""))

    assert many.title == "shop/bare, s0, s1 and 3 more"
    assert many.owners[0] == Owner("Pod", "bare")
    assert many.nodes == ("n0", "n1")
    assert str(many.owners[1]) == "statefulset/s0"
    assert identity(members[0]).title == "shop/s0"


def test_decision_names_its_deniers_and_their_policies() -> None:
    """Only ends that deny count, and their policies come sorted, each once."""
    both = decision(Verdict.DENIED, Verdict.DENIED)
    open_end = end(Direction.INGRESS, Verdict.UNDEFINED, (PolicyRef("shop", "zeta"),))
    half = Decision(Verdict.DENIED, end(Direction.EGRESS, Verdict.DENIED), open_end, "")

    assert both.deniers == (Direction.EGRESS, Direction.INGRESS)
    assert both.denied_by == (PolicyRef("shop", "deny"),)
    assert (half.deniers, half.denied_by) == ((Direction.EGRESS,), (PolicyRef("shop", "deny"),))
    assert decision().denied_by == ()


def test_names_of_policies() -> None:
    """A namespaced policy is namespace/name, one of the whole cluster its name alone."""
    assert str(PolicyRef("shop", "deny")) == "shop/deny"
    assert str(PolicyRef("", "deny", "ClusterNetworkPolicy")) == "deny"


def test_severities_rank_from_critical_down_to_info() -> None:
    """A threshold means: this rank or a higher one."""
    ranks = [severity.rank for severity in (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)]

    assert ranks == [4, 3, 2, 1]
    assert Severity.INFO.rank == 0


def test_snapshot_finds_its_namespaces() -> None:
    """A namespace that was not read is None."""
    found = snapshot().namespace("kube-system")

    assert found is not None
    assert snapshot().namespace("gone") is None


def test_reason_of_a_direction_is_kept() -> None:
    """Frozen values do not change what they are given."""
    made = DirectionDecision(Direction.EGRESS, Verdict.ALLOWED, (), (), "because")

    assert made.reason == "because"
