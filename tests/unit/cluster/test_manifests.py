"""What the API server refuses of a NetworkPolicy is told with its line, its reason and what to write instead."""

from __future__ import annotations

import pytest

from auditor.model.cluster import BlindSpot
from auditor.model.problem import Effect
from tests.unit.cluster.reading import POD, marked, policy, reading

RULE = "ingress:\n- from:\n  - "
REFUSED: list[tuple[str, str, str, str, str]] = [
    # What it is, what stands below spec with the line marked, the path, the reason, what to write.
    (
        "rules of guide 001",
        "podSelector: {}\ningress: {} # <-",
        "ingress",
        "expected a list, found an object",
        "`ingress: [{}]` allows everything",
    ),
    ("egress of guide 001", "ingress: [{}]\negress: {} # <-", "egress", "expected a list", "`egress: [{}]`"),
    ("peers without a dash", "ingress:\n- from: {} # <-", "ingress[0].from", "expected a list", "podSelector"),
    ("ports without a dash", "egress:\n- ports: {port: 80} # <-", "egress[0].ports", "expected a list", "- port: 80"),
    ("an empty peer", f"{RULE}{{}} # <-", "ingress[0].from[0]", "a peer needs one of", "dash"),
    ("a peer of nulls", f"{RULE}podSelector: null # <-", "ingress[0].from[0]", "a peer needs one of", "dash"),
    (
        "a block beside a selector",
        f"{RULE}podSelector: {{}}\n    ipBlock: {{cidr: 10.0.0.0/8}} # <-",
        "ingress[0].from[0].ipBlock",
        "either ipBlock or selectors",
        "list item of its own",
    ),
    ("no cidr", f"{RULE}ipBlock: {{}} # <-", "ingress[0].from[0].ipBlock.cidr", "not a block of addresses: ''", "10.0"),
    (
        "a lone address",
        f"{RULE}ipBlock: {{cidr: 10.0.0.1}} # <-",
        "ingress[0].from[0].ipBlock.cidr",
        "not a block",
        "/8",
    ),
    (
        "an except that is not smaller",
        f"{RULE}ipBlock:\n      cidr: 10.0.0.0/8\n      except: [10.1.0.0/16, 10.0.0.0/8] # <-",
        "ingress[0].from[0].ipBlock.except[1]",
        "10.0.0.0/8 is not a strict subset of 10.0.0.0/8",
        "inside cidr",
    ),
    (
        "an except elsewhere",
        f"{RULE}ipBlock:\n      cidr: 10.0.0.0/8\n      except:\n      - 10.1.0.0/16\n      - 11.0.0.0/16 # <-",
        "ingress[0].from[0].ipBlock.except[1]",
        "11.0.0.0/16 is not a strict subset of 10.0.0.0/8",
        "inside cidr",
    ),
    ("small letters", "ingress:\n- ports:\n  - protocol: udp # <-", "ingress[0].ports[0].protocol", "'udp' is", "UDP"),
    ("ICMP", "ingress:\n- ports:\n  - protocol: ICMP # <-", "ingress[0].ports[0].protocol", "'ICMP' is", "SCTP"),
    (
        "a number in quotes",
        "ingress:\n- ports:\n  - port: '80' # <-",
        "ingress[0].ports[0].port",
        "'80' is",
        "without quotes",
    ),
    ("port 0", "ingress:\n- ports:\n  - port: 0 # <-", "ingress[0].ports[0].port", "0 is not between", "65535"),
    (
        "a name too long",
        f"ingress:\n- ports:\n  - port: {'p' * 16} # <-",
        "ingress[0].ports[0].port",
        "is not a port",
        "name",
    ),
    ("a name with two dashes", "ingress:\n- ports:\n  - port: a--b # <-", "ingress[0].ports[0].port", "is not", "name"),
    (
        "a range without beginning",
        "ingress:\n- ports:\n  - endPort: 90 # <-",
        "ingress[0].ports[0].endPort",
        "begins at port None",
        "not below",
    ),
    (
        "a range that goes down",
        "ingress:\n- ports:\n  - port: 80\n    endPort: 79 # <-",
        "ingress[0].ports[0].endPort",
        "79 does not close",
        "not below",
    ),
    (
        "an unknown type",
        "policyTypes:\n- Ingress\n- Both # <-",
        "policyTypes[1]",
        "'Both' is not one",
        "Ingress, Egress",
    ),
    ("types in a string", "policyTypes: Ingress # <-", "policyTypes", "expected a list", "dash"),
    ("three types", "policyTypes: [Ingress, Egress, Ingress] # <-", "policyTypes", "more than two", "both"),
    (
        "an unknown operator",
        "podSelector:\n  matchExpressions:\n  - key: a\n    operator: Like # <-",
        "podSelector.matchExpressions[0].operator",
        "'Like' is not one of In",
        "NotIn",
    ),
    (
        "In without values",
        "podSelector:\n  matchExpressions:\n  - {key: a, operator: In} # <-",
        "podSelector.matchExpressions[0].values",
        "In needs values",
        "a list of strings",
    ),
    (
        "Exists with values",
        "podSelector:\n  matchExpressions:\n  - key: a\n    operator: Exists\n    values: [b] # <-",
        "podSelector.matchExpressions[0].values",
        "Exists takes no values",
        "none",
    ),
    (
        "a label that is a number",
        "podSelector:\n  matchLabels:\n    v: 1 # <-",
        "podSelector.matchLabels.v",
        "the number 1",
        "quotes",
    ),
    (
        "a bad label value",
        "podSelector:\n  matchLabels:\n    v: a/b # <-",
        "podSelector.matchLabels.v",
        "label value",
        "63",
    ),
    (
        "a bad label key",
        f"{RULE}namespaceSelector:\n      matchLabels:\n        -x: z # <-",
        "ingress[0].from[0].namespaceSelector.matchLabels[-x]",
        "label key",
        "63",
    ),
    (
        "a bad value in an expression",
        "podSelector:\n  matchExpressions:\n  - key: a\n    operator: In\n    values:\n    - ok\n    - a b # <-",
        "podSelector.matchExpressions[0].values[1]",
        "label value",
        "strings",
    ),
]


@pytest.mark.parametrize(
    ("body", "path", "reason", "attempt"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_policy(body: str, path: str, reason: str, attempt: str) -> None:
    """It is left out, because the server would not hold it: no blind spot comes of it, and the rest goes on."""
    text = policy(body)
    found = reading(text)
    (problem,) = found.of()

    assert problem.effect is Effect.REFUSED
    assert [problem.line] == marked(text)
    assert problem.why.startswith(f"spec.{path}: ")
    assert reason in problem.why
    assert attempt in problem.attempt
    assert problem.object == "NetworkPolicy shop/p"
    assert (found.policies, found.snapshot.blind_spots, found.pods) == ([], (), ["shop/good"])


def test_all_errors_of_labels_are_told_and_the_first_of_the_rest() -> None:
    text = policy("podSelector:\n  matchLabels:\n    a: b c # <-\n    d: e f # <-\ningress: {} # <-")

    assert [one.line for one in reading(text).of()] == marked(text)


UNSURE: list[tuple[str, str, str]] = [
    ("a misspelt field", "podSelector: {}\ningres: [] # <-", "spec.ingres"),
    ("egress peers in ingress", "ingress:\n- to: [] # <-", "spec.ingress[0].to"),
    ("a selector that slipped", "podSelector:\n  app: web # <-", "spec.podSelector.app"),
    (
        "a peer that slipped",
        f"{RULE}podSelector: {{}}\n    matchLabels: {{a: b}} # <-",
        "spec.ingress[0].from[0].matchLabels",
    ),
    ("a null rule", "ingress:\n- # <-", "spec.ingress[0]"),
    ("a null port", "ingress:\n- ports:\n  - # <-", "spec.ingress[0].ports[0]"),
]


@pytest.mark.parametrize(("body", "path"), [row[1:] for row in UNSURE], ids=[row[0] for row in UNSURE])
def test_what_only_kubectl_refuses_is_unknown(body: str, path: str) -> None:
    """Other clients drop the field, so nobody can say which policy there is: its namespace is blind."""
    text = policy(body)
    found = reading(text)
    (problem,) = found.of()

    assert problem.effect is Effect.UNSURE
    assert [problem.line] == marked(text)
    assert problem.why.startswith(f"{path}: ")
    assert [spot.namespace for spot in found.snapshot.blind_spots] == ["shop"]


def test_what_is_taken() -> None:
    """Odd and allowed: nothing is said."""
    body = """
    policyTypes: [Ingress, Ingress]
    podSelector: {matchLabels: {a: ""}, matchExpressions: [{key: x.io/y, operator: NotIn, values: [""]}]}
    ingress:
    - from: []
      ports: null
    - from:
      - ipBlock: {cidr: 10.1.2.3/8, except: [10.1.0.0/16]}
      - namespaceSelector: {}
        podSelector: null
      ports: [{port: http}, {port: 80, endPort: 80}, {protocol: SCTP}]
    """
    found = reading(policy(body))

    assert found.of() == []
    assert found.policies == ["shop/p"]


STORED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop, uid: u1}
spec: {podSelector: {matchLabels: {a: "b c"}}, ingress: SPEC}
"""


def test_what_a_server_stored_is_not_judged_again() -> None:
    """It was taken under older rules; where it cannot be read it is a blind spot, as in a live cluster."""
    assert reading(STORED.replace("SPEC", "[{}]")).policies == ["shop/p"]
    found = reading(STORED.replace("SPEC", "{}"))
    assert found.of() == []
    assert found.snapshot.blind_spots == (
        BlindSpot("shop", "NetworkPolicy shop/p cannot be read: ingress: expected a list, found an object"),
    )


@pytest.mark.parametrize(
    ("metadata", "title", "attempt"),
    [
        ("{name: n, namespace: shop}", "NetworkPolicy shop/?", "words such as n, no and off as false"),
        ("{name: p, namespace: on}", "NetworkPolicy ?/p", "words such as y, yes and on as true"),
        ("{namespace: shop}", "NetworkPolicy shop/?", "small letters"),
        ("{name: 5, namespace: shop}", "NetworkPolicy shop/5", 'put it in quotes: name: "5"'),
    ],
)
def test_name_that_is_no_string(metadata: str, title: str, attempt: str) -> None:
    """A word that YAML takes for a switch wants quotes; nobody can tell which word it was."""
    (problem,) = reading(f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {metadata}\n").of()

    assert (problem.effect, problem.object) == (Effect.REFUSED, title)
    assert attempt in problem.attempt


@pytest.mark.parametrize(
    ("selector", "attempt"), [("[x]", "labels of the pods behind the Service"), ("{app: 5}", 'app: "8080"')]
)
def test_selector_of_a_service(selector: str, attempt: str) -> None:
    """A Service has no template that its selector could repeat."""
    (problem,) = reading(
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec: {{selector: {selector}}}\n"
    ).of()

    assert attempt in problem.attempt


@pytest.mark.parametrize("kind", ["v1\nkind: Pod", "v1\nkind: Node", "networking.k8s.io/v1\nkind: NetworkPolicy"])
def test_stored_object_whose_namespace_is_a_list(kind: str) -> None:
    """What claims to be stored is not judged, and must not end the reading."""
    assert (
        reading(f"apiVersion: {kind}\nmetadata: {{name: p, uid: u1, namespace: [a]}}\n---{POD}").pods[-1] == "shop/good"
    )


def test_object_twice() -> None:
    """The later one counts, as with kubectl apply; names in other namespaces and kinds are other names."""

    def pod(label: str, where: str = "shop") -> str:
        return f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: {where}, labels: {{a: {label}}}}}\n"

    text = (
        pod("first")
        + pod("other", "ops")
        + pod("second")
        + policy("{}", "shop/web").partition("---")[0].join(["---\n", ""])
    )
    found = reading(text)
    (twice,) = [one for one in found.problems if "twice" in one.what]

    assert [(item.namespace, item.labels) for item in found.snapshot.pods] == [
        ("ops", {"a": "other"}),
        ("shop", {"a": "second"}),
    ]
    assert (twice.line, twice.object) == (10, "Pod shop/web")
    assert "-:2" in twice.why


def test_refused_object_replaces_nothing() -> None:
    """The server keeps the one before."""
    text = policy("ingress: [{}]").partition("---")[0] + "---\n" + policy("ingress: {}")
    found = reading(text)

    assert found.policies == ["shop/p"]
    assert [one.effect for one in found.of()] == [Effect.REFUSED]


def test_kinds_that_do_not_matter_are_counted_once() -> None:
    kinds = ["Widget", "Secret", "Widget", *(f"Kind{number:02}" for number in range(12))]
    text = "".join(f"---\napiVersion: example.org/v1\nkind: {kind}\n" for kind in kinds)
    (problem,) = reading(text).problems

    assert problem.what == "15 objects are of a kind that decides about no flow"
    assert problem.why.startswith("2 Widget, 1 Kind00, ")
    assert problem.why.endswith(" and 4 kinds more")


def test_same_kind_of_another_group_is_another_kind() -> None:
    """Knative has a Service, Calico a NetworkPolicy of its own."""
    text = """
    apiVersion: serving.knative.dev/v1
    kind: Service
    metadata: {name: web}
    ---
    apiVersion: projectcalico.org/v3
    kind: NetworkPolicy
    metadata: {name: web, namespace: shop}
    spec: {}
    ---
    apiVersion: cilium.io/v9
    kind: CiliumNetworkPolicy
    metadata: {name: web, namespace: shop}
    """
    found = reading(text)

    assert found.snapshot.services == ()
    assert [(item.resource, item.kind, item.version) for item in found.snapshot.objects] == [
        ("ciliumnetworkpolicies.cilium.io", "CiliumNetworkPolicy", "cilium.io/v9"),
        ("networkpolicies.crd.projectcalico.org", "NetworkPolicy (Calico)", "projectcalico.org/v3"),
    ]
    assert [one.why for one in found.problems if "version" in one.what] == [
        "cilium.io/v9 CiliumNetworkPolicy is not among the versions that netaudit knows: v2"
    ]


def test_names_that_the_server_would_make() -> None:
    """A generateName is a name, and a new one each time."""
    text = "apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-, namespace: shop}\n"
    found = reading(f"{text}---\n{text}")

    assert found.pods == ["shop/web-1", "shop/web-2"]
    assert found.of() == []


@pytest.mark.parametrize("namespace", ["", "namespace: ", "namespace: ''"])
def test_namespace_that_is_left_out_is_default(namespace: str) -> None:
    found = reading(f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  {namespace}\n")

    assert found.pods == ["default/web"]
    assert [one.name for one in found.snapshot.namespaces] == ["default"]


def test_settings_of_an_engine() -> None:
    """Of all ConfigMaps, the one that matters."""
    text = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: cilium-config, namespace: NAMESPACE}
    data: {enable-policy: never}
    """
    assert reading(text.replace("NAMESPACE", "kube-system")).snapshot.settings == {
        "kube-system/cilium-config": {"enable-policy": "never"}
    }
    assert reading(text.replace("NAMESPACE", "shop")).snapshot.settings == {}
