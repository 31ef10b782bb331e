"""Calico's own kinds, read the way its agents work: a selector is a set of addresses, and packets carry addresses.

Written from the reference of `projectcalico.org/v3`.  Knows NetworkPolicies of Kubernetes beside them, and neither
nodes nor pods on their network.  Of policies with equal order the name decides; order 1000, which NetworkPolicies have,
is left to releases and must not be asked about.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from tests.oracle import networkpolicy
from tests.oracle.ends import AS_POD, End, Flow, addresses, as_address, as_block, find, finished, same
from tests.oracle.manifests import YES, Raw, Words, chosen, home, tags
from tests.oracle.networkpolicy import Asked, declared

GIVEN = "projectcalico.org/"
NUMBERS = {"6": "TCP", "17": "UDP", "132": "SCTP"}
FIXED = {"default": (1e6, "Deny"), "kube-admin": (1e3, "Pass"), "kube-baseline": (1e7, "Pass")}
LEAF = re.compile(
    r"""has\(\s*(?P<has>[\w./-]+)\s*\)|(?P<call>all|global)\(\s*\)
    |(?P<key>[\w./-]+)\s*(?P<word>==|!=|contains|starts\s*with|ends\s*with|not\s*in|in)\s*
    (?P<value>"[^"]*"|'[^']*'|\{[^}]*\})""",
    re.VERBOSE,
)


def is_calico(item: Raw) -> bool:
    return str(item.get("apiVersion", "")).startswith(("projectcalico.org/", "crd.projectcalico.org/"))


def verdict(objects: Sequence[Raw], flow: Flow) -> str:
    """Whether the connection gets through; raises NotAnEnd."""
    if same(objects, flow):
        return "allowed"
    source, destination = (find(objects, end, flow.family, AS_POD) for end in (flow.source, flow.destination))
    ways = ("Egress", "Ingress")
    answers = [one_side(Asked(objects, way, source, destination, flow.port, flow.protocol)) for way in ways]
    return "denied" if "denied" in answers else "allowed"


def one_side(asked: Asked) -> str:
    """Tier after tier; what nobody decides is allowed by the namespace's profile."""
    for (_, _, action), policies in groupby(applying(asked), key=lambda found: found[0]):
        found = next((one for _, policy in policies for one in decisions(policy, asked)), action)
        if found != "Pass":
            return {"Allow": "allowed", "Deny": "denied"}[found]
    return "allowed"


def applying(asked: Asked) -> list[tuple[tuple[float, str, str], Raw]]:
    """The policies that select the subject in this direction, each with its tier, in the order of both."""
    if asked.subject.pod is None:
        return []
    found: list[tuple[Any, Any, Raw]] = []
    for item in asked.objects:
        if is_calico(item) and item["kind"] in {"NetworkPolicy", "GlobalNetworkPolicy"} and selects(item, asked):
            order = item["spec"].get("order")
            place = math.inf if order is None else order, item["metadata"]["name"]
            found.append((tier_of(item, asked.objects), place, item))
    kubernetes = Asked([item for item in asked.objects if not is_calico(item)], *_rest(asked))
    if networkpolicy.isolating(kubernetes):
        found.append((tier_of({"spec": {}}, ()), (1000, ""), {"kind": "v1"}))
    return [(tier, item) for tier, _, item in sorted(found, key=lambda one: one[:2])]


def _rest(asked: Asked) -> tuple[str, End, End, int, str]:
    return asked.way, asked.source, asked.destination, asked.port, asked.protocol


def tier_of(policy: Raw, objects: Sequence[Raw]) -> tuple[float, str, str]:
    """Place, name and default action; without order late, and missing at the very end."""
    name = policy["spec"].get("tier") or "default"
    if name in FIXED:
        return FIXED[name][0], name, FIXED[name][1]
    for item in objects:
        if item["kind"] == "Tier" and item["metadata"]["name"] == name:
            order = item["spec"].get("order")
            return 1e300 if order is None else order, name, item["spec"].get("defaultAction") or "Deny"
    return math.inf, name, "Deny"


def selects(policy: Raw, asked: Asked) -> bool:
    spec, pod = policy["spec"], asked.subject.pod
    assert pod is not None
    types = spec.get("types") or [way for way in ("Ingress", "Egress") if spec.get(way.lower())] or ["Ingress"]
    if (
        spec.get("doNotTrack")
        or spec.get("preDNAT")
        or asked.way not in types
        or (policy["kind"] == "NetworkPolicy" and home(policy) != home(pod))
    ):
        return False
    labels = seen(pod, asked.objects)
    return (
        says(spec.get("selector"), labels)
        and says(spec.get("namespaceSelector"), under("pcns.", labels))
        and says(spec.get("serviceAccountSelector"), under("pcsa.", labels))
    )


def decisions(policy: Raw, asked: Asked) -> Iterator[str]:
    """What the rules that match do, in order."""
    if policy["kind"] == "v1":
        ours = [item for item in asked.objects if not is_calico(item)]
        narrowed = Asked(ours, *_rest(asked))
        if networkpolicy.lets_through(networkpolicy.isolating(narrowed), narrowed) == YES:
            yield "Allow"
        return
    near = home(policy) if policy["kind"] == "NetworkPolicy" else ""
    for rule in policy["spec"].get(asked.way.lower()) or []:
        if rule["action"] != "Log" and fits(rule, near, asked):
            yield rule["action"]


def fits(rule: Raw, near: str, asked: Asked) -> bool:
    protocol, other = rule.get("protocol"), rule.get("notProtocol")
    return (
        (protocol is None or NUMBERS.get(str(protocol), protocol) == asked.protocol)
        and (other is None or NUMBERS.get(str(other), other) != asked.protocol)
        and rule.get("ipVersion") in {None, asked.source.family}
        and side_fits(rule.get("source") or {}, asked.source, near, asked)
        and side_fits(rule.get("destination") or {}, asked.destination, near, asked)
        and ports_fit(rule.get("destination") or {}, asked)
    )


def ports_fit(side: Raw, asked: Asked) -> bool:
    wanted, unwanted = side.get("ports"), side.get("notPorts")
    if wanted and not any(port_fits(item, asked) for item in wanted):
        return False
    return not any(port_fits(item, asked) for item in unwanted or [])


def port_fits(item: int | str, asked: Asked) -> bool:
    first, _, last = str(item).partition(":")
    if first.isdigit():
        return int(first) <= asked.port <= int(last or first)
    return (item, asked.protocol, asked.port) in declared(asked.destination.pod)


def side_fits(side: Raw, end: End, near: str, asked: Asked) -> bool:
    address = as_address(str(end.address))
    nets, others = side.get("nets") or [], side.get("notNets") or []
    if nets and not any(address in as_block(text) for text in nets):
        return False
    if any(address in as_block(text) for text in others):
        return False
    if side.get("notSelector") and bears(address, {"selector": side["notSelector"]}, asked.objects):
        return False
    if side.get("services") and not serves(side["services"], near, end, asked):
        return False
    wanted = {key: side[key] for key in ("selector", "namespaceSelector", "serviceAccounts") if side.get(key)}
    if near and not side.get("namespaceSelector") and (wanted or side.get("notSelector")):
        wanted["home"] = near
    return not wanted or bears(address, wanted, asked.objects)


def bears(address: Any, wanted: Raw, objects: Sequence[Raw]) -> bool:
    """Whether an address is that of a pod, or in a network set, that is selected."""
    for item in objects:
        if item["kind"] == "Pod" and not finished(item) and address in addresses(item):
            if endpoint_fits(wanted, seen(item, objects)):
                return True
        elif item["kind"] in {"NetworkSet", "GlobalNetworkSet"}:
            nets = item["spec"].get("nets") or []
            if any(address in as_block(text) for text in nets) and endpoint_fits(wanted, seen(item, objects)):
                return True
    return False


def endpoint_fits(wanted: Raw, labels: Words) -> bool:
    accounts = wanted.get("serviceAccounts") or {}
    names = accounts.get("names")
    return (
        wanted.get("home") in {None, labels.get(GIVEN + "namespace")}
        and says(wanted.get("selector"), labels)
        and says(wanted.get("namespaceSelector"), under("pcns.", labels), where=GIVEN + "namespace" in labels)
        and says(accounts.get("selector"), under("pcsa.", labels))
        and (not names or labels.get(GIVEN + "serviceaccount") in names)
    )


def seen(item: Raw, objects: Sequence[Raw]) -> Words:
    """The labels of an endpoint: given, its own, inherited; earlier ones hide later ones."""
    if item["kind"] == "GlobalNetworkSet":
        return dict(tags(item))
    spaces = [tags(one) for one in objects if one["kind"] == "Namespace" and one["metadata"]["name"] == home(item)]
    found = {f"pcns.{key}": value for key, value in (spaces[0] if spaces else {}).items()}
    found |= {f"pcns.{GIVEN}name": home(item)}
    given = {GIVEN + "namespace": home(item)}
    if item["kind"] == "Pod":
        account = item["spec"].get("serviceAccountName") or "default"
        for one in objects:
            if one["kind"] == "ServiceAccount" and (home(one), one["metadata"]["name"]) == (home(item), account):
                found |= {f"pcsa.{key}": value for key, value in tags(one).items()}
        found |= {f"pcsa.{GIVEN}name": account}
        given |= {GIVEN + "orchestrator": "k8s", GIVEN + "serviceaccount": account}
    return found | tags(item) | given


def under(prefix: str, labels: Words) -> Words:
    return {key.removeprefix(prefix): value for key, value in labels.items() if key.startswith(prefix)}


def serves(service: Raw, near: str, end: End, asked: Asked) -> bool:
    """Whether an end is behind a Service; as destination on a port that the Service leads to."""
    name = service.get("namespace") or near, service["name"]
    for item in asked.objects:
        if item["kind"] != "Service" or (home(item), item["metadata"]["name"]) != name or end.pod is None:
            continue
        if home(end.pod) != name[0] or not chosen({"matchLabels": item["spec"]["selector"]}, tags(end.pod)):
            continue
        if end is not asked.destination:
            return True
        if any(leads(port, asked) for port in item["spec"]["ports"]):
            return True
    return False


def leads(port: Raw, asked: Asked) -> bool:
    target = port.get("targetPort") or port["port"]
    return (port.get("protocol") or "TCP") == asked.protocol and port_fits(target, asked)


def says(text: str | None, labels: Words, *, where: bool | None = None) -> bool:
    """What an expression says of labels; `where` tells whether they are of something in a namespace, if that counts."""

    def answer(found: re.Match[str]) -> str:
        if found["call"]:
            return str(where is None or where is (found["call"] == "all"))
        if found["has"]:
            return str(found["has"] in labels)
        word, value = "".join(found["word"].split()), labels.get(found["key"])
        listed = re.findall(r"""["']([^"']*)["']""", found["value"])
        if word in {"!=", "notin"}:
            return str(value not in listed)
        if value is None:
            return "False"
        tests = {"contains": value.__contains__, "startswith": value.startswith, "endswith": value.endswith}
        return str(any(map(tests.get(word, value.__eq__), listed)))

    if not (text or "").strip():
        return True
    plain = LEAF.sub(answer, str(text)).replace("&&", " and ").replace("||", " or ").replace("!", " not ")
    return bool(eval(plain.strip(), {"__builtins__": {}}))  # noqa: S307  # nothing is left but True, False and these words
