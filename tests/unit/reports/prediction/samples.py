"""The predictions that every format is tried on, by name; each is a golden folder in tests/cases/predictions too."""

from __future__ import annotations

from dataclasses import replace

from auditor.evaluate.model import Model
from auditor.model.cluster import Owner, Pod
from auditor.model.flow import Direction, Protocol
from auditor.model.lint import LintFinding, LintSeverity, ObjectRef
from auditor.model.matrix import Identity
from auditor.model.prediction import Coverage, Excluded, Prediction, Unselected
from auditor.model.problem import Effect, Problem
from auditor.prediction import Wanted, foresee
from tests.builders import Raw, allow, block, deny_all, named, pod, pods, policy, port, selector, snapshot, tcp, udp
from tests.unit.reports.builders import EVIL, TRICKS

HOSTILE = f"{EVIL}{TRICKS}"
FORMULA = "=cmd|' /C calc'!A0"
ARROWS = 'a"]-->b["c|`x`#quot;&lt;\\'


def foreseen(*objects: Raw, wanted: Wanted | None = None) -> Prediction:
    return foresee(Model(snapshot(*objects)), wanted or Wanted(), origin="manifests/")


def shop() -> Prediction:
    """Three tiers behind a default deny, a client, and pods that stand outside."""
    return foreseen(
        *(pod(f"shop/web-{number}", owner="Deployment/web", ports=[port(80)], app="web") for number in range(3)),
        pod("shop/api-0", owner="Deployment/api", ports=[port(8080)], app="api"),
        *(pod(f"shop/db-{number}", owner="StatefulSet/db", ports=[port(5432)], app="db") for number in range(2)),
        pod("ops/console", owner="Deployment/console"),
        pod("ops/job", phase="Succeeded"),
        pod("kube-system/proxy", spec={"hostNetwork": True}),
        deny_all("shop/default-deny"),
        policy("shop/web", selector(app="web"), ingress=[allow(ports=[tcp(80)])], egress=[allow(pods(app="api"))]),
        policy(
            "shop/api",
            selector(app="api"),
            ingress=[allow(pods(app="web"), ports=[tcp(8080)])],
            egress=[allow(pods(app="db"))],
        ),
        policy("shop/db", selector(app="db"), ingress=[allow(pods(app="api"), ports=[tcp(5432)])]),
        policy("shop/gone", selector(app="cache"), ingress=[allow(pods(app="api"))]),
    )


def open_questions() -> Prediction:
    """Verdicts that nobody can give: a block that holds pods, and a kind of policy that is not modelled."""
    return foreseen(
        pod("shop/web", at=["10.0.0.1", "fd00::1"], app="web"),
        pod("shop/db", at=["10.0.0.2"], ports=[port(5432), port(53, protocol="UDP")], app="db"),
        pod("edge/proxy", at=["10.0.0.3", "fd00::3"]),
        policy("shop/db", selector(app="db"), ingress=[allow(block("10.0.0.0/24"), ports=[tcp(5432), udp(53)])]),
        named("EgressFirewall", "edge/default", spec={}),
    )


def namespaces() -> Prediction:
    """More identities than a person would look at one by one: teams that only talk to themselves, and an open one."""
    objects: list[Raw] = []
    for team in range(8):
        home = f"team-{team}"
        for number in range(8):
            objects.append(pod(f"{home}/app-{number}", owner=f"Deployment/app-{number}", app=f"app-{number}"))
            if team == 7 and number == 0:
                continue
            if team:
                own = policy(f"{home}/app-{number}", selector(app=f"app-{number}"), ingress=[allow(pods())])
                objects.append(own)
            else:
                objects.append(policy(f"{home}/open-{number}", selector(app=f"app-{number}"), ingress=[allow()]))
    return foreseen(*objects)


def in_scope() -> Prediction:
    """Flows of one namespace, both ways, in a cluster with more."""
    whole = (pod("shop/web", app="web"), pod("shop/db", app="db"), pod("ops/console"), pod("ops/other"))
    rules = (policy("shop/db", selector(app="db"), ingress=[allow(pods(app="web"))]), deny_all("ops/deny", "Egress"))
    return foreseen(*whole, *rules, wanted=Wanted(namespaces=("shop",), ports=((Protocol.TCP, 80),)))


def nothing() -> Prediction:
    """No pod at all, and a file that could not be read."""
    return replace(foreseen(), problems=(problem(0),), warnings=("a warning",))


def finding(number: int, severity: LintSeverity = LintSeverity.WARNING, rule: str = "rule") -> LintFinding:
    return LintFinding(
        id=rule,
        severity=severity,
        object=ObjectRef("NetworkPolicy", "shop", f"p{number}"),
        path="spec.ingress[0]",
        message=f"it is odd {number}",
        why=("somebody looked",),
        remedy=f"mend it {number}",
        fingerprint=f"f{number}",
    )


def problem(number: int) -> Problem:
    return Problem(
        Effect.REFUSED,
        f"shop/{number}.yaml",
        number + 1,
        f"NetworkPolicy shop/p{number}",
        "spec.ingress is a mapping",
        "the API server wants a list",
        "begin each rule with a dash",
    )


def crowded() -> Prediction:
    """More of everything than a page has room for."""
    severities = (LintSeverity.ERROR, *[LintSeverity.WARNING] * 4, LintSeverity.INFO)
    pairs = [(number, severities[number % 6], f"rule-{number % 6}") for number in range(60)]
    ways = (
        Coverage(f"team-{n:02}", way, n + 1, n // 2 if n % 3 else n + 1, n % 3 == 0)
        for n in range(66)
        for way in _DIRECTIONS
    )
    return replace(
        shop(),
        findings=tuple(finding(*item) for item in pairs),
        problems=tuple(problem(number) for number in range(23)),
        warnings=tuple(f"warning {number}" for number in range(22)),
        unread=tuple(f"reason {number}" for number in range(22)),
        coverage=tuple(ways),
        unselected=tuple(Unselected("shop", f"deployment/d{number:02}", number) for number in range(25)),
    )


def hostile_names() -> Prediction:
    """Every text that someone else chooses holds markup, terminal escapes, formulas, arrows and entities."""
    texts = (HOSTILE, FORMULA, ARROWS, "1. a", "- b")
    found = foreseen(*(pod(f"n{number}/p", owner=f"Job/{number}") for number in range(len(texts))))
    identities = tuple(
        replace(identity, namespace=text, labels=((text, text),), pods=(renamed(identity, text),))
        for identity, text in zip(found.matrix.identities, texts, strict=True)
    )
    name = ObjectRef(HOSTILE, HOSTILE, HOSTILE)
    return replace(
        found,
        origin=HOSTILE,
        engine=HOSTILE,
        matrix=replace(found.matrix, identities=identities),
        namespaces=texts,
        coverage=tuple(Coverage(text, way, 1, 0, default_deny=False) for text in texts for way in _DIRECTIONS),
        unselected=(Unselected(HOSTILE, HOSTILE, 1),),
        excluded=(Excluded(HOSTILE, 1),),
        unread=(HOSTILE,),
        findings=(LintFinding(HOSTILE, LintSeverity.ERROR, name, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE),),
        problems=(Problem(Effect.NOTED, HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        warnings=(HOSTILE,),
    )


def renamed(identity: Identity, text: str) -> Pod:
    first = identity.pods[0]
    return replace(first, namespace=text, name=text, owner=Owner(text, text))


_DIRECTIONS = tuple(Direction)

SAMPLES: dict[str, Prediction] = {
    "crowded": crowded(),
    "hostile-names": hostile_names(),
    "in-scope": in_scope(),
    "namespaces": namespaces(),
    "nothing": nothing(),
    "open-questions": open_questions(),
    "shop": shop(),
}
