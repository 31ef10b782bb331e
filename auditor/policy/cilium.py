"""What CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (`cilium.io/v2`) say.

Pure.  They stand beside NetworkPolicy v1: whatever one of them allows is allowed, and what a deny section denies is
denied.  A rule isolates the pods it selects in each direction in which it has a section, an empty one (`- {}`) and a
deny section included, unless `enableDefaultDeny` says otherwise.

Source: Cilium's documentation and, where that is silent, the source of 1.19; tests/cluster/tests proves it with
packets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import Dialect
from auditor.model.flow import Direction, PolicyRef
from auditor.model.rules import (
    MIDDLE,
    MIDDLE_RANK,
    NOTHING,
    Action,
    Clause,
    Match,
    Predicate,
    Section,
    Translation,
)
from auditor.policy import cilium_selector
from auditor.policy.cilium_cluster import Surroundings
from auditor.policy.cilium_host import host_sections
from auditor.policy.cilium_peer import GROUPS, Scene
from auditor.policy.cilium_rule import Place, read_entry
from auditor.policy.ordered import inside

DENY_RANK = (0.0, "")
"""Before every policy that allows."""
DOUBT_RANK = (1.0, "")
"""After what denies for sure, before what allows: what may deny a flow that something allows."""
LAST_RANK = (2_000.0, "")
"""After every policy that allows: what may deny a flow that nothing allows."""
SECTIONS = ("ingress", "ingressDeny", "egress", "egressDeny")
KNOWN = frozenset(
    {"endpointSelector", "nodeSelector", *SECTIONS, "enableDefaultDeny", "labels", "description", "log"},
)
SWITCH = "enable-non-default-deny-policies"
LONGEST = 200


def translator(snapshot: Snapshot, dialect: Dialect) -> Callable[[PolicyObject], Translation]:  # noqa: ARG001
    """Prepare for objects of either kind."""
    around = Surroundings(snapshot)
    return lambda item: _translate(item, around)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule of an object, of which `specs` may hold several."""

    ref: PolicyRef
    path: str
    """What comes before the paths of its sections; empty for `spec`."""
    raw: Raw
    subject: Predicate
    scene: Scene


def _translate(item: PolicyObject, around: Surroundings) -> Translation:
    ref = PolicyRef(item.namespace, item.name, item.kind)
    rules = [_head(ref, path, raw, Scene(item.namespace, around)) for path, raw in _specs(item.raw)]
    refused = _refused(item.raw)
    try:
        found = _read(item, rules)
    except FieldError as error:
        if refused:
            return _noted(ref, f"Cilium refuses it and enforces none of it: {refused}")
        return Translation(tuple(_doubtful(rules, f"cannot be read, or Cilium refuses it: {error}")))
    if refused and found.sections:
        return Translation(tuple(_doubtful(rules, f"its status says that it is not valid: {refused}")))
    return found


def _read(item: PolicyObject, rules: list[_Rule]) -> Translation:
    ref = PolicyRef(item.namespace, item.name, item.kind)
    if not any(fields.sequence(rule.raw, name) for rule in rules for name in SECTIONS):
        return _noted(ref, "it has no rule, which is not a deny: it has no effect")
    if any(_grouped(rule) for rule in rules) and fields.text(fields.mapping(item.raw, "metadata"), "uid"):
        return _noted(ref, "it names groups of a provider: Cilium enforces the copy that its operator makes of it")
    parts = [_rule(rule) for rule in rules]
    notes = {f"{ref.kind} {ref}: {note}" for part in parts for note in part.notes}
    return Translation(tuple(section for part in parts for section in part.sections), tuple(sorted(notes)))


def _noted(ref: PolicyRef, note: str) -> Translation:
    return Translation(notes=(f"{ref.kind} {ref}: {note}",))


def _specs(raw: Raw) -> Iterator[tuple[str, Raw]]:
    if raw.get("spec") is not None:
        yield "", fields.mapping(raw, "spec")
    for position, rule in enumerate(fields.objects(raw, "specs")):
        yield f"specs[{position}].", rule


def _head(ref: PolicyRef, path: str, raw: Raw, scene: Scene) -> _Rule:
    with inside(f"{path or 'spec.'}endpointSelector"):
        selector = raw.get("endpointSelector")
        if selector is None:
            subject: Predicate = NOTHING
        else:
            subject = cilium_selector.subject(fields.mapping(raw, "endpointSelector"), scene.namespace, scene.around)
    return _Rule(ref, path, raw, subject, scene)


def _refused(raw: Raw) -> str:
    """Why the object's status calls it invalid; empty where it does not.

    Only where its rules cannot be read either does that mean that agents enforce nothing: the operator, which writes
    the status, may know of settings that agents do not have, and the reverse.
    """
    status = raw.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, Mapping) and (condition.get("type"), condition.get("status")) == ("Valid", "False"):
            return str(condition.get("message") or "no reason is given")[:LONGEST]
    return ""


def _grouped(rule: _Rule) -> bool:
    """Whether a rule names groups of a provider: then agents pass the whole object over."""
    entries = [entry for name in SECTIONS for entry in fields.objects(rule.raw, name)]
    return any(fields.sequence(entry, name) for entry in entries for name in GROUPS)


def _doubtful(rules: list[_Rule], reason: str) -> Iterator[Section]:
    """All that an object may do where nothing is known of its rules: to the pods it selects, either way."""
    for rule in rules:
        for direction in Direction:
            path = f"{rule.path}{direction.value.lower()}"
            clauses = tuple(Clause(action, path, unsure=reason) for action in (Action.DENY, Action.ALLOW))
            yield Section(rule.ref, direction, MIDDLE, DOUBT_RANK, rule.subject, clauses, isolates=False)


def _rule(rule: _Rule) -> Translation:
    strange = sorted(str(key) for key, value in rule.raw.items() if key not in KNOWN and value is not None)
    if strange:
        raise FieldError(f"{rule.path or 'spec.'}{strange[0][:LONGEST]}: a field that this version does not know")
    on_nodes = rule.raw.get("nodeSelector") is not None
    if on_nodes is (rule.raw.get("endpointSelector") is not None):
        raise FieldError("one of endpointSelector and nodeSelector must be given, and one only")
    if not any(fields.sequence(rule.raw, name) for name in SECTIONS):
        raise FieldError("a rule without a section stands beside others, which Cilium refuses")
    if on_nodes:
        if rule.ref.namespace:
            raise FieldError("nodeSelector stands in a CiliumNetworkPolicy, which Cilium refuses")
        return host_sections(rule.raw, rule.ref, rule.path, rule.scene.around)
    parts = [_direction(rule, direction) for direction in Direction]
    notes = tuple(note for part in parts for note in part.notes)
    return Translation(tuple(section for part in parts for section in part.sections), notes)


def _direction(rule: _Rule, direction: Direction) -> Translation:
    """The sections of one direction: what denies, what may deny, what allows."""
    word = direction.value.lower()
    isolates = _isolates(rule, word)
    sections: list[Section] = []
    doubts: list[Clause] = []
    notes: list[str] = []
    for action, name, rank in ((Action.DENY, f"{word}Deny", DENY_RANK), (Action.ALLOW, word, MIDDLE_RANK)):
        found = [
            read_entry(entry, Place(f"{rule.path}{name}[{position}]", direction, action, rule.scene))
            for position, entry in enumerate(fields.objects(rule.raw, name))
        ]
        clauses = tuple(clause for entry in found for clause in entry.clauses)
        if found:
            sections.append(Section(rule.ref, direction, MIDDLE, rank, rule.subject, clauses, isolates))
        doubts += [clause for entry in found for clause in entry.doubts]
        notes += [note for entry in found for note in entry.notes]
    perhaps = None if isolates or not sections else _perhaps_isolates(rule, direction)
    if perhaps is not None:
        sections.append(perhaps)
    if doubts:
        sections.append(Section(rule.ref, direction, MIDDLE, DOUBT_RANK, rule.subject, tuple(doubts), isolates=False))
    return Translation(tuple(sections), tuple(notes))


def _isolates(rule: _Rule, word: str) -> bool:
    """Whether a section of this direction switches default deny on (`enableDefaultDeny`, since 1.16)."""
    said = fields.only(fields.mapping(rule.raw, "enableDefaultDeny"), "ingress", "egress")
    return said.get(word) is None or fields.flag(said, word)


def _perhaps_isolates(rule: _Rule, direction: Direction) -> Section | None:
    """Where the setting says that default deny cannot be off: versions differ in whether they heed it."""
    if rule.scene.around.settings.is_on(SWITCH, default=True) is not Match.NO:
        return None
    reason = f"default deny is off here, while {SWITCH} is off, which versions of Cilium heed or not"
    clause = Clause(Action.DENY, f"{rule.path}enableDefaultDeny.{direction.value.lower()}", unsure=reason)
    return Section(rule.ref, direction, MIDDLE, LAST_RANK, rule.subject, (clause,), isolates=False)
