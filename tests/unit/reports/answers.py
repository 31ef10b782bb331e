"""Explanations and differences that their formats are tried on; each is a golden folder in tests/cases/answers too."""

from __future__ import annotations

from auditor.asking import Question, ask
from auditor.change import compare_models
from auditor.evaluate.model import Model
from auditor.model.explanation import DirectionSteps, Explained, Explanation, Group, RuleStep, TierStep
from auditor.model.flow import (
    Decision,
    Direction,
    DirectionDecision,
    Family,
    PolicyRef,
    Protocol,
    Traffic,
    Verdict,
)
from auditor.model.prediction import Change, Difference
from auditor.services import Services
from auditor.targets import Targets
from tests.builders import Raw, allow, block, deny_all, named, pod, pods, policy, port, selector, snapshot, tcp
from tests.unit.explaining import leading, service, slice_of
from tests.unit.reports.builders import EVIL, TRICKS

HOSTILE = f"{EVIL}{TRICKS}"
SHOP = (
    pod("shop/web", app="web"),
    pod("shop/api", app="api", at=["10.1.0.1"]),
    pod("shop/db", app="db", ports=[port(5432, "pg")]),
    pod("ops/console"),
)
POLICIES = (
    deny_all("shop/default-deny", "Ingress"),
    policy(
        "shop/db",
        selector(app="db"),
        ingress=[allow(pods(app="api"), ports=[tcp(5432)]), allow(block("10.1.0.0/16"), ports=[tcp(9187)])],
    ),
    policy("shop/web", selector(app="web"), egress=[allow(pods(app="db"), ports=[tcp("pg")])]),
)
ADMIN = {
    **named("AdminNetworkPolicy", "guard"),
    "apiVersion": "policy.networking.k8s.io/v1alpha1",
    "spec": {
        "priority": 5,
        "subject": {"namespaces": {}},
        "ingress": [
            {"name": "ops", "action": "Pass", "from": [{"namespaces": {"matchLabels": {"team": "ops"}}}]},
            {"name": "rest", "action": "Pass", "from": [{"namespaces": {}}]},
        ],
    },
}
LEGACY = service("shop/legacy", leading(80), at=["10.96.0.1"])
BANK = service("shop/bank", type="ExternalName", externalName="bank.example.org")


def answer(source: str, destination: str, number: int, *objects: Raw) -> Explained:
    model = Model(snapshot(*SHOP, *objects))
    services = Services(model)
    targets = Targets(model, services)
    return ask(model, services, Question(targets.find(source), targets.find(destination), Protocol.TCP, number))


def tiers() -> Explained:
    """Passed by a tier of the cluster, then denied by policies of the namespace."""
    return answer("shop/web", "shop/db", 5432, *POLICIES, ADMIN)


def hostile() -> Explained:
    """Every text that someone else chooses holds markup, escapes and newlines."""
    ref = PolicyRef(HOSTILE, HOSTILE, HOSTILE)
    ends = [DirectionDecision(way, Verdict.UNKNOWN, (ref,), (HOSTILE,), HOSTILE, (HOSTILE,)) for way in Direction]
    steps = tuple(
        DirectionSteps(
            way, HOSTILE, Verdict.UNKNOWN, HOSTILE, (TierStep(HOSTILE, (ref,), (rule(0, ref=ref),), HOSTILE),)
        )
        for way in Direction
    )
    decision = Decision(Verdict.UNKNOWN, ends[1], ends[0], HOSTILE)
    traffic = Traffic(Family.IPV6, Protocol.UDP, 53)
    example = Explanation(HOSTILE, HOSTILE, traffic, decision, steps, (HOSTILE,))
    return Explained(HOSTILE, HOSTILE, HOSTILE, (Group(Verdict.UNKNOWN, 3, 2, 1, example),), (HOSTILE,))


def rule(number: int, matched: str = "no", ref: PolicyRef | None = None) -> RuleStep:
    policy_ref = ref or PolicyRef("shop", "many")
    return RuleStep(policy_ref, f"spec.ingress[{number}]", matched, "allow", f"{policy_ref.name} because {number}")


def endpoints() -> Explained:
    """A Service without a selector that leads to a pod."""
    made = slice_of("shop/legacy", "10.1.0.1", ports=[{"port": 9187}])
    return answer("shop/db", "shop/svc/legacy", 80, *POLICIES, LEGACY, made)


EXPLAINED: dict[str, Explained] = {
    "allowed": answer("shop/api", "shop/db", 5432, *POLICIES),
    "denied": answer("shop/web", "shop/db", 5432, *POLICIES),
    "endpoints": endpoints(),
    "endpoints-none": answer("shop", "shop/svc/legacy", 80, *POLICIES, LEGACY),
    "external-name": answer("shop/web", "shop/svc/bank", 443, *POLICIES, BANK),
    "hostile": hostile(),
    "several": answer("shop", "shop", 9187, *POLICIES),
    "tiers": tiers(),
}


def difference() -> Difference:
    """The database is opened to all and the console is shut out."""
    before, after = (*SHOP, *POLICIES, pod("shop/old")), (*SHOP, *POLICIES[:1], POLICIES[2], deny_all("ops/deny"))
    opened = policy("shop/db", selector(app="db"), ingress=[allow(ports=[tcp(5432)])])
    names = ("old/", "new/")
    return compare_models(Model(snapshot(*before)), Model(snapshot(*after, opened, pod("shop/new"))), names=names)


def change(number: int, before: Verdict | None = Verdict.DENIED, after: Verdict | None = Verdict.ALLOWED) -> Change:
    return Change(f"shop/a{number}", "shop/b", Family.IPV4, (Protocol.TCP, 80), before, after, ("shop/p",))


def hostile_difference() -> Difference:
    odd = Change(HOSTILE, HOSTILE, Family.IPV6, (Protocol.SCTP, 9), None, Verdict.UNKNOWN, (HOSTILE, HOSTILE))
    return Difference(HOSTILE, HOSTILE, (odd,), (odd,), (odd,), (HOSTILE,), (HOSTILE,), 3)


DIFFERENCES: dict[str, Difference] = {
    "difference": difference(),
    "difference-hostile": hostile_difference(),
    "difference-none": Difference("old/", "new/", (), (), (), (), (), 12),
}
