"""What is said of manifests that are wrong, old, doubled or of no use, and what to write instead.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from auditor.cluster import fields, history, ordered_shapes
from auditor.cluster.documents import UNNUMBERED, Item, numbered
from auditor.cluster.fields import FieldError, NullItem, Path, Raw, UnknownField
from auditor.cluster.kinds import Kind, gone_since
from auditor.model.flow import Protocol
from auditor.model.problem import Effect, Problem

MOST_KINDS = 10
"""Kinds of objects left out that are named."""

_RULES = "a dash makes a rule of it: `{0}: [{{}}]` allows everything, and without the field nothing is allowed"
_PEERS = "a dash makes a list of it: `- podSelector: ...`; without the field any peer is meant"
_WORD = 'write a string, in quotes where it looks like a number or a switch: app: "8080", on: "yes"'
_LABEL = "letters, digits, dashes, underscores and dots, at most 63, with a letter or digit at both ends"
_SWITCH = "put it in quotes: without them YAML reads words such as {} as {}"
_SWITCHES: Mapping[object, str] = {
    True: _SWITCH.format("y, yes and on", "true"),
    False: _SWITCH.format("n, no and off", "false"),
}
_INDENT = "indent the lines that belong below metadata and spec: their indentation is lost"
_NAME = "small letters, digits and dashes"
_BY_FIELD: Mapping[str, str] = {
    "ingress": _RULES.format("ingress"),
    "egress": _RULES.format("egress"),
    "from": _PEERS,
    "to": _PEERS,
    "ports": "a dash makes a list of it: `- port: 80`",
    "port": "a number from 1 to 65535 without quotes, or the name of a container port",
    "endPort": "beside a port that is a number, another one that is not below it",
    "protocol": "TCP, UDP or SCTP",
    "cidr": "a block such as 10.0.0.0/8 or fd00::/8",
    "except": "blocks that lie inside cidr and are smaller than it",
    "ipBlock": "give the block and the selectors each a list item of its own",
    "policyTypes": "Ingress, Egress or both, each with a dash",
    "operator": "In, NotIn, Exists or DoesNotExist",
    "values": "a list of strings for In and NotIn, and none for Exists and DoesNotExist",
    "annotations": "strings only, and no more than the API server takes",
    "name": _NAME,
    "namespace": _NAME,
    "selector": "repeat labels of spec.template.metadata.labels in it",
    "metadata": "metadata with at least a name: metadata: {name: ...}",
    "template": "spec.template with the labels and containers of its pods",
}
_ORDERED_RULES = "a list of rules, each with a dash; those beyond the limit go into a policy of the next priority"
_ORDERED_PEERS = "one field for each item of the list; peers beyond the limit go into a rule below with the same action"
_BY_FIELD_OF_ORDERED: Mapping[str, str] = {
    "priority": "a whole number from 0 to 1000 without quotes; the lowest is asked first",
    "subject": "namespaces: {} for all pods, or else pods: {namespaceSelector: ..., podSelector: ...}, not both",
    "ingress": _ORDERED_RULES,
    "egress": _ORDERED_RULES,
    "from": _ORDERED_PEERS,
    "to": _ORDERED_PEERS,
    "ports": "a list of at least one port, each with a dash; without the field all ports are meant",
    "protocols": "a list of at least one protocol, each with a dash; without the field all ports are meant",
    "networks": "up to 25 blocks such as 10.0.0.0/8 or fd00::/8, none of them twice",
    "domainNames": "up to 25 names such as example.org or *.example.org, none of them twice",
    "tcp": "destinationPort: {range: {start: 1, end: 65535}} for all ports",
    "udp": "destinationPort: {range: {start: 1, end: 65535}} for all ports",
    "sctp": "destinationPort: {range: {start: 1, end: 65535}} for all ports",
    "operator": _BY_FIELD["operator"],
    "values": "a list of strings",
    "metadata": _BY_FIELD["metadata"],
    "annotations": _BY_FIELD["annotations"],
}
_BY_PLACE: Mapping[tuple[str, str], str] = {
    ("BaselineAdminNetworkPolicy", "metadata.name"): "name: default",
    ("AdminNetworkPolicy", "metadata.name"): _NAME,
    ("ClusterNetworkPolicy", "metadata.name"): _NAME,
    ("Service", "spec.selector"): "labels of the pods behind the Service: selector: {app: web}",
}


def where(raw: Raw, error: BaseException) -> tuple[Path, str]:
    """The path of an error in an object, and the sentence about it."""
    path = fields.path_of(raw, error)
    reason = error.reason if isinstance(error, FieldError) else str(error)
    return path, f"{fields.path_text(path)}: {reason}" if path else str(error)


def wrong(item: Item, kind: Kind, error: FieldError, *, refused: bool) -> Problem:
    """A field that the API server refuses, or, unless `refused`, only kubectl does."""
    path, why = where(item.value, error)
    attempt = _instead(item.value, kind, path, error)
    if refused:
        so = ", so it has no effect" if _decides(kind) else ""
        return item.problem(Effect.REFUSED, f"the API server would refuse this object{so}", why, attempt, path)
    decides = _decides(kind) and path[:1] == ("spec",)
    taken = "taken for an object with nothing set" if isinstance(error, NullItem) else "dropped without a word"
    effect = Effect.UNSURE if decides else Effect.NOTED
    return item.problem(
        effect, f"kubectl refuses this object; sent otherwise, the field is {taken}", why, attempt, path
    )


def _decides(kind: Kind) -> bool:
    return kind.resource == "networkpolicies" or kind.group == ordered_shapes.GROUP


def _instead(raw: Raw, kind: Kind, path: Path, error: FieldError) -> str:
    names = [key for key in path if isinstance(key, str)]
    last = names[-1] if names else ""
    if path == ("metadata",) and "name" in raw:
        return _INDENT
    if isinstance(error, UnknownField):
        return _misplaced(raw, kind, names)
    if last == "protocol" and _is_in_small_letters(error):
        return history.as_v1(raw) or "TCP, UDP or SCTP in capitals"
    if names[-2:-1] in (["labels"], ["matchLabels"]) or (kind.name == "Service" and names[:-1] == ["spec", "selector"]):
        return _WORD if "expected" in error.reason else _LABEL
    by_field = _BY_FIELD_OF_ORDERED if kind.group == ordered_shapes.GROUP else _BY_FIELD
    at = (kind.name, ".".join(names))
    return _switched(path, error) or _BY_PLACE.get(at) or by_field.get(last) or _explained(kind, names)


def _switched(path: Path, error: FieldError) -> str:
    """What to write for a name that YAML takes for a switch or a number; empty for all else."""
    if path not in {("metadata", "name"), ("metadata", "namespace")} or not isinstance(error.where, Mapping):
        return ""
    value = error.where.get(path[-1])
    if isinstance(value, bool):
        return _SWITCHES[value]
    return f'put it in quotes: {path[-1]}: "{value}"' if isinstance(value, int) else ""


def _misplaced(raw: Raw, kind: Kind, names: list[str]) -> str:
    if len(names) == 1 and not raw.get("metadata"):
        return _INDENT
    return f"look for a misspelt name or a wrong indentation: {_explained(kind, names[:-1])}"


def _explained(kind: Kind, names: list[str]) -> str:
    return f"kubectl explain {'.'.join([kind.name.lower(), *names])}"


def _is_in_small_letters(error: FieldError) -> bool:
    value = error.where.get("protocol") if isinstance(error.where, Mapping) else None
    return isinstance(value, str) and value.upper() in Protocol.__members__


def nameless(item: Item) -> Problem:
    """A document that does not say what it is."""
    missing = [key for key in ("apiVersion", "kind") if not isinstance(item.value.get(key), str) or not item.value[key]]
    attempt = "begin with apiVersion and kind, such as networking.k8s.io/v1 and NetworkPolicy"
    if numbered(item.value):
        attempt = UNNUMBERED
    why = f"it does not say its {' and '.join(missing)}"
    return item.problem(Effect.UNREADABLE, "this is no Kubernetes object", why, attempt)


def unserved(item: Item, kind: Kind, version: str, name: str) -> Problem:
    """An object under an apiVersion or kind that API servers do not know, or not any more."""
    path: Path = ("kind",) if name != kind.name else ("apiVersion",)
    said = f"{version} {name}"[: fields.LONGEST_NAME]
    since = gone_since(version, name)
    attempt = f"write apiVersion: {kind.api_version} and kind: {kind.name}"
    if kind.foreign:
        why = f"{said} is not among the versions that netaudit knows: {', '.join(kind.versions)}"
        return item.problem(Effect.NOTED, "this API version is not known", why, attempt, path)
    if since is None:
        why = f"{said} is not what API servers serve"
        return item.problem(Effect.REFUSED, "the API server would refuse this object", why, attempt, path)
    why = f"API servers stopped serving {said} with Kubernetes {since}"
    if kind.resource != "networkpolicies":
        return item.problem(Effect.REFUSED, "the API server would refuse this object", why, attempt, path)
    attempt = history.as_v1(item.value) or attempt
    return item.problem(Effect.INERT, "this policy has no effect today", why, attempt, path)


def again(item: Item, before: Item) -> Problem:
    """An object whose name stood already."""
    line = before.line()
    place = before.text.file if line is None else f"{before.text.file}:{line}"
    why = f"it replaces the one of {place}, as kubectl apply would"
    return item.problem(Effect.NOTED, "this object stands twice", why, "keep one of the two")


def homeless(item: Item) -> Problem:
    """A policy that comes to stand in a namespace without pods, because it names none."""
    why = "it is taken to be in default, where the input has no pod"
    return item.problem(Effect.NOTED, "this policy names no namespace", why, "set metadata.namespace", ("metadata",))


def annotated(item: Item, name: str) -> Iterator[Problem]:
    """A namespace that is isolated in a way that no longer isolates."""
    metadata = item.value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    value = annotations.get(history.ISOLATION) if isinstance(annotations, dict) else None
    if value is None:
        return
    path = ("metadata", "annotations", history.ISOLATION)
    isolating = isinstance(value, str) and history.isolates(value)
    attempt = history.default_deny(name) if isolating else "take the annotation away"
    why = f"{history.ISOLATION} was the way to isolate a namespace before Kubernetes 1.7"
    yield item.problem(Effect.INERT, "this annotation has no effect today", why, attempt, path)


def left_out(kinds: Counter[str]) -> Iterator[Problem]:
    """Objects of kinds that do not matter, named once for the whole input."""
    if kinds:
        counted = sorted(kinds.items(), key=lambda row: (-row[1], row[0]))
        more = f" and {len(counted) - MOST_KINDS} kinds more" if len(counted) > MOST_KINDS else ""
        number = kinds.total()
        what = f"{number} objects are" if number > 1 else "1 object is"
        yield Problem(
            Effect.NOTED,
            "",
            None,
            "",
            f"{what} of a kind that decides about no flow",
            ", ".join(f"{number} {kind}" for kind, number in counted[:MOST_KINDS]) + more,
            "nothing is to be done about them",
        )
