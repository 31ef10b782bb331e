"""What opens and closes between two sets of manifests."""

from __future__ import annotations

from auditor.change import compare_models
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.matrix import Query
from auditor.model.prediction import Change, Difference
from tests.builders import Raw, allow, block, deny_all, pod, pods, policy, port, selector, tcp
from tests.unit.explaining import model_of
from tests.unit.reports.prediction.samples import problem

HTTP: Query = (Protocol.TCP, 80)
WEB, DB = pod("shop/web", owner="Deployment/web", app="web"), pod("shop/db", owner="StatefulSet/db", app="db")
OPEN = policy("shop/p", selector(app="db"), ingress=[allow(pods(app="web"))])
SHUT = policy("shop/p", selector(app="db"), ingress=[])


def difference(old: list[Raw], new: list[Raw], queries: tuple[Query, ...] = (HTTP,)) -> Difference:
    return compare_models(model_of(*old), model_of(*new), names=("old", "new"), queries=queries)


def ends(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(item.source, item.destination) for item in changes]


def test_flow_that_opens_is_named_with_what_decides() -> None:
    found = difference([WEB, DB, SHUT], [WEB, DB, OPEN])

    (opened,) = found.opened
    assert opened == Change(
        "shop/deployment/web",
        "shop/statefulset/db",
        Family.IPV4,
        HTTP,
        Verdict.DENIED,
        Verdict.ALLOWED,
        ("shop/p.ingress[0]", "shop/p"),
    )
    assert ((), ()) == (found.closed, found.other)


def test_flow_that_closes_is_the_mirror() -> None:
    found = difference([WEB, DB, OPEN], [WEB, DB, SHUT])

    assert [("shop/deployment/web", "shop/statefulset/db")] == ends(found.closed)
    assert ((), ()) == (found.opened, found.other)


def test_what_becomes_uncertain_is_neither() -> None:
    doubt = policy("shop/p", selector(app="db"), ingress=[allow(block("0.0.0.0/0"))])

    for old, new in ((OPEN, doubt), (doubt, OPEN), (SHUT, doubt), (doubt, SHUT)):
        found = difference([WEB, DB, old], [WEB, DB, new])
        assert ((), ()) == (found.opened, found.closed)
        assert ("shop/deployment/web", "shop/statefulset/db") in ends(found.other)


def test_replicas_may_talk_to_each_other_and_lone_pods_not() -> None:
    found = difference([WEB, DB], [WEB, DB, deny_all("shop/p", "Ingress")])

    web, db = "shop/deployment/web", "shop/statefulset/db"
    assert [(web, web), (web, db), (db, web), (db, db)] == sorted(
        ends(found.closed), key=lambda it: (it[0] != web, it[1])
    )
    assert 4 == found.flows
    # Two that are one to policies are explained by the policies alone.
    assert all(item.because == ("shop/p",) for item in found.closed)


def test_bare_pods_have_no_replicas() -> None:
    bare = {**WEB, "metadata": {**WEB["metadata"], "ownerReferences": []}}
    found = difference([bare], [bare, deny_all("shop/p")])

    assert (0, ()) == (found.flows, found.closed)


def test_what_appears_or_vanishes_is_named_and_not_compared() -> None:
    found = difference([WEB, deny_all("shop/p")], [DB])

    assert (("shop/statefulset/db",), ("shop/deployment/web",), 0) == (found.appeared, found.vanished, found.flows)


def test_pods_that_policies_tell_apart_are_named() -> None:
    many = [pod(f"shop/w-{it}", owner="StatefulSet/w", number=str(it)) for it in range(2)]
    one = policy("shop/p", selector(number="1"), ingress=[])

    assert [("shop/statefulset/w (w-0)", "shop/statefulset/w (w-1)")] == [
        it for it in ends(difference(many, [*many, one]).closed) if it[0] != it[1]
    ]


def kinds(*names: str) -> list[Raw]:
    """Pods of one Deployment, every other one of another track."""
    return [pod(f"shop/{name}", owner="Deployment/d", track="ab"[place % 2]) for place, name in enumerate(names)]


def test_renamed_pods_are_taken_for_each_other_by_kind() -> None:
    only_a = policy("shop/p", selector(track="a"), ingress=[allow(pods(track="b"))])

    found = difference([*kinds("x1", "x2"), only_a], [*kinds("y1", "y2"), only_a])

    assert () == (*found.opened, *found.closed, *found.other)


def test_every_kind_is_compared_where_kinds_come_or_go() -> None:
    deny_b = policy("shop/p", selector(track="b"), ingress=[])

    found = difference([*kinds("x1"), deny_b], [*kinds("y1", "y2"), deny_b])

    assert {"shop/deployment/d (x1, now y2)"} == {item.destination for item in found.closed}


def test_pod_of_a_new_name_beside_one_that_stays_is_compared() -> None:
    """web-2 goes and web-3 comes, of a kind that a rule lets in."""
    rule = policy("shop/p", selector(app="db"), ingress=[allow(pods(track="canary"))])
    stays = pod("shop/web-1", owner="ReplicaSet/web", app="web")
    old = [DB, rule, stays, pod("shop/web-2", owner="ReplicaSet/web", app="web")]
    new = [DB, rule, stays, pod("shop/web-3", owner="ReplicaSet/web", app="web", track="canary")]

    assert {"shop/replicaset/web (web-2, now web-3)"} == {item.source for item in difference(old, new).opened}


def test_ports_of_both_sides_are_asked_by_default() -> None:
    old = pod("shop/db", owner="StatefulSet/db", app="db", ports=[port(5432)])
    new = [WEB, DB, policy("shop/p", selector(app="db"), ingress=[allow(ports=[tcp(9999)])])]

    found = difference([WEB, old], new, ())

    asked = {item.query[1] for item in found.closed}
    assert 5432 in asked
    assert 9999 not in asked


def test_port_that_neither_side_names_or_declares_is_told_apart() -> None:
    """What one side made up the other may name, and what the user names was not made up."""
    named = policy("shop/q", selector(app="web"), ingress=[allow(ports=[tcp(8642)])])

    assert ((Protocol.TCP, 8642),) == difference([WEB, DB], [WEB, DB, OPEN], ()).unnamed
    assert ((Protocol.TCP, 18642),) == difference([WEB, DB], [WEB, DB, named], ()).unnamed
    assert () == difference([WEB, DB], [WEB, DB, OPEN], ((Protocol.TCP, 8642),)).unnamed


def test_problems_are_told_apart_by_side() -> None:
    both, old, new = problem(0), problem(1), problem(2)
    model = model_of(WEB)

    found = compare_models(model, model, names=("old", "new"), problems=((both, old), (both, new)))

    assert ((both,), (old,), (new,)) == (found.problems, found.old_problems, found.new_problems)
