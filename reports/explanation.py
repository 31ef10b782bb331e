"""Why a flow has its verdict, for a person and for a program: the answer first, then the chain that gives it.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from auditor.model.explanation import DirectionSteps, Explained, Explanation, Group, RuleStep, TierStep
from auditor.model.flow import Direction, PolicyRef, Traffic
from reports.columns import Cell, Ink, paragraph, table
from reports.json_text import encode
from reports.words import plural

SCHEMA = "netaudit.explanation/1"
WIDTH = 120
POLICIES = 8
"""Policies of a tier that are named."""
RULES = 30
"""Rules of a tier that are told though they do not match; those that do are all told."""
_INDENT = "  "
_INK = Ink(color=False)
_ENDS = {Direction.EGRESS: "leaving", Direction.INGRESS: "entering"}


@dataclass(frozen=True, slots=True)
class Document:
    """What `-o json` writes: the answer as it is, under the name of its schema."""

    schema: str
    source: str
    destination: str
    port: str
    groups: tuple[Group, ...]
    notes: tuple[str, ...]


def render_json(explained: Explained) -> str:
    """Write everything that is known, fields in the order of the model."""
    answer = Document(
        SCHEMA, explained.source, explained.destination, explained.port, explained.groups, explained.notes
    )
    return encode(answer)


def render_table(explained: Explained) -> str:
    """Write the answer as plain text, `WIDTH` columns wide at most."""
    # A reason may be empty, and would leave an empty line at the end.
    return "\n".join(line.rstrip() for line in _page(explained)).rstrip("\n") + "\n"


def _page(explained: Explained) -> Iterator[str]:
    single = len(explained.groups) == 1 and explained.groups[0].flows == 1
    explained = _called(explained)
    if not single:
        yield from _summary(explained)
    for group in explained.groups:
        if not single:
            yield ""
        if group.flows > 1:
            yield from paragraph(f"{_counts(group)}, of which one is:", WIDTH)
        yield from _explanation(group.example)
    if explained.notes:
        yield ""
    for note in explained.notes:
        yield from paragraph(note, WIDTH, "note: ", "      ")


def _called(explained: Explained) -> Explained:
    """The answer with addresses that stand for a block or the internet under its name."""
    return replace(explained, groups=tuple(_named(group, explained) for group in explained.groups))


def _named(group: Group, explained: Explained) -> Group:
    item = group.example
    source, destination = _name(item.source, explained.source), _name(item.destination, explained.destination)
    return replace(group, example=replace(item, source=source, destination=destination))


def _name(end: str, target: str) -> str:
    """An end as the user meant it: what has no slash is an address, and may be one of many that were asked about."""
    return end if "/" in end or end == target else f"{target} ({end})"


def _summary(explained: Explained) -> Iterator[str]:
    flows = sum(group.flows for group in explained.groups)
    ends = f"{explained.source} -> {explained.destination} {explained.port}"
    yield from paragraph(f"{ends}: {plural(flows, 'flow')}", WIDTH, "", _INDENT)
    width = max((len(group.verdict.value) for group in explained.groups), default=0) + 2
    families = {group.example.traffic.family for group in explained.groups}
    for group in explained.groups:
        ends = f"{group.example.source} -> {group.example.destination}"
        if len(families) > 1:
            ends += f" ({group.example.traffic.family.value})"
        told = ends if group.flows == 1 else f"{_counts(group)}, such as {ends}"
        lead = f"{_INDENT}{group.verdict.value.upper():{width}}"
        yield from paragraph(told, WIDTH, lead, " " * len(lead))


def _counts(group: Group) -> str:
    ends = f"{plural(group.sources, 'source')}, {plural(group.destinations, 'destination')}"
    return f"{plural(group.flows, 'flow')} ({ends})"


def traffic_text(traffic: Traffic) -> str:
    """A port and family as people write them."""
    return f"{traffic.port}/{traffic.protocol.value} ({traffic.family.value})"


def _explanation(item: Explanation) -> Iterator[str]:
    verdict = item.decision.verdict.value.upper()
    flow = f"{item.source} -> {item.destination} {traffic_text(item.traffic)}"
    yield from paragraph(f"{verdict}  {flow}", WIDTH, "", _INDENT)
    yield from paragraph(item.decision.reason, WIDTH, _INDENT)
    for note in item.notes:
        yield from paragraph(note, WIDTH, f"{_INDENT}note: ", f"{_INDENT}      ")
    for direction in item.directions:
        yield ""
        yield from _direction(direction)


def _direction(item: DirectionSteps) -> Iterator[str]:
    lead = f"{item.direction.value}, {_ENDS[item.direction]} {item.subject}: {item.verdict.value}"
    yield from paragraph(lead, WIDTH, "", _INDENT)
    tiers = [tier for tier in item.tiers if tier.policies]
    for tier in tiers:
        yield from _tier(tier, ends=len(tiers) > 1)
    yield from paragraph(item.reason, WIDTH, _INDENT)


def _tier(item: TierStep, *, ends: bool) -> Iterator[str]:
    """One tier and its rules; with `ends` how the flow left it, which a tier alone shares with its direction."""
    yield from paragraph(f"tier {item.name}: {_policies(item.policies)}", WIDTH, _INDENT, _INDENT * 3)
    rules = _chosen(item.rules)
    if rules:
        actions = {rule.action for rule in rules} != {"allow"}
        heads = ["match", *["action"] * actions, "policy", "rule", "why"]
        rows: list[list[Cell]] = [
            [rule.matched, *[rule.action] * actions, policy_text(rule.policy), rule.path, rule.because]
            for rule in rules
        ]
        yield from (f"{_INDENT * 2}{line}" for line in table(heads, rows, WIDTH - 2 * len(_INDENT), _INK))
    if len(rules) < len(item.rules):
        yield f"{_INDENT * 2}... and {len(item.rules) - len(rules):,} more that do not match; -o json has all of them"
    if ends:
        yield from paragraph(item.end, WIDTH, _INDENT * 2)


def _chosen(rules: Sequence[RuleStep]) -> list[RuleStep]:
    """Rules that have a say, and the first ones that have none, in the order in which they are asked."""
    room, found = RULES, []
    for rule in rules:
        if rule.matched != "no":
            found.append(rule)
        elif room:
            room -= 1
            found.append(rule)
    return found


def policy_text(ref: PolicyRef) -> str:
    """A policy by name, and by kind where that is not the usual one."""
    return str(ref) if ref.kind == "NetworkPolicy" else f"{ref.kind} {ref}"


def _policies(refs: Sequence[PolicyRef]) -> str:
    more = f" and {len(refs) - POLICIES:,} more" if len(refs) > POLICIES else ""
    return ", ".join(policy_text(ref) for ref in refs[:POLICIES]) + more


EXPLANATIONS: dict[str, Callable[[Explained], str]] = {"table": render_table, "json": render_json}
"""By the names that users type after `-o`."""
