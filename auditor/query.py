"""One line of `netaudit explain --batch`: a query, and its answer.

Pure.  A query that makes no sense gets an answer that says so, in its place; it never stops the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from ipaddress import IPv6Address, ip_address
from typing import Any

from auditor.evaluate.model import Model
from auditor.evaluate.sieve import quicken
from auditor.model.cluster import Pod, Service, family_of
from auditor.model.ends import Address
from auditor.model.flow import Decision, DirectionDecision, Family, Protocol, Traffic, Verdict
from auditor.model.rules import LAST_PORT
from auditor.services import Services, unknown

Raw = Mapping[str, Any]
Answer = dict[str, Any]
Place = tuple[Pod | Address | Service, tuple[Family, ...]]
"""An end, and the families in which it can be reached: one where it was named by its address."""
KNOWN = frozenset({"id", "src", "dst", "port", "protocol", "family"})
LONGEST = 200
"""Characters of a query that are repeated in a message."""
MANY = 5_000
"""Questions after which it pays to group all pods first."""
MOST_KEPT = 50_000
"""Addresses and deciders that are remembered; a batch may be endless."""
WORST_FIRST = tuple(verdict.value for verdict in (Verdict.DENIED, Verdict.UNKNOWN, Verdict.UNDEFINED, Verdict.ALLOWED))
"""Which verdict stands for both families where theirs differ: allowed is only what is so in each."""
_NUMBER = re.compile("[1-9][0-9]{0,4}")


class QueryError(ValueError):
    """A query that cannot be asked."""


class Oracle:
    """Answers queries about one snapshot."""

    def __init__(self, model: Model) -> None:
        """Answer from `model`."""
        self._model = model
        self._pods = {f"{pod.namespace}/{pod.name}": pod for pod in model.snapshot.pods}
        self._places: dict[str, Place] = {}
        self._by: dict[int, tuple[DirectionDecision, list[str]]] = {}
        self._answered = 0

    @cached_property
    def _services(self) -> Services:
        return Services(self._model)

    def answer(self, query: object) -> Answer:
        """Answer `{"src": "ns/pod" or {"ip": ...}, "dst": ..., "port": ..., "protocol": ..., "family": ...}`.

        The answer has `verdict`, `ingress`, `egress`, `by` and `reason`; `error` where the query could not be asked.
        Without a `family` all that both ends have are asked about: where their verdicts differ, the answer is the one
        that is least like allowed (`WORST_FIRST`), and `families` has that of each.  An `id` comes back as it was.
        """
        self._answered += 1
        if self._answered == MANY:
            quicken(self._model)
        mark = {"id": query["id"]} if isinstance(query, Mapping) and "id" in query else {}
        try:
            source, destination, asked = self._read(query)
            found = [self._decide(source, destination, traffic) for traffic in asked]
        except QueryError as error:
            return mark | self.refuse(str(error))
        if len(found) > 1 and len({decision.verdict for decision in found}) > 1:
            return mark | self._differing(asked, found)
        return mark | self._shown(found[0])

    def refuse(self, why: str) -> Answer:
        """The answer to a query that cannot be asked."""
        return self._shown(unknown(why)) | {"error": why}

    def _differing(self, asked: Sequence[Traffic], found: Sequence[Decision]) -> Answer:
        """The answer of the family that fares worst, with those of all."""
        each = {traffic.family.value: self._shown(decision) for traffic, decision in zip(asked, found, strict=True)}
        return min(each.values(), key=lambda item: WORST_FIRST.index(item["verdict"])) | {"families": each}

    def _shown(self, decision: Decision) -> Answer:
        egress, ingress = decision.egress.verdict, decision.ingress.verdict
        verdict = decision.verdict
        by: list[str] = []
        if verdict is Verdict.UNKNOWN and egress is not verdict and ingress is not verdict:
            # What was not read may decide in either direction, whatever the rest says.
            egress = ingress = verdict
        else:
            by = [
                name
                for end in (decision.egress, decision.ingress)
                if end.verdict is verdict
                for name in self._deciders(end)
            ]
        return {
            "verdict": verdict.value,
            "ingress": ingress.value,
            "egress": egress.value,
            "by": by if len(by) == 1 else list(dict.fromkeys(by)),
            "reason": decision.reason,
        }

    def _deciders(self, end: DirectionDecision) -> list[str]:
        """The names of an end's deciders, worked out once for ends that are decided alike again and again."""
        if end.allowing or end.denying:
            return decided_by(end)
        if not end.isolating:
            return []
        known = self._by.get(id(end))
        if known is None:
            if len(self._by) >= MOST_KEPT:
                self._by.clear()
            known = self._by[id(end)] = end, decided_by(end)
        return known[1]

    def _decide(self, source: Place, destination: Place, traffic: Traffic) -> Decision:
        one, other = source[0], destination[0]
        if isinstance(one, Service):
            raise QueryError("src: a Service opens no connections")
        if isinstance(other, Service):
            return self._services.decide(one, other, traffic)
        return self._model.decide(one, other, traffic.family, traffic.port, traffic.protocol)

    def _read(self, query: object) -> tuple[Place, Place, list[Traffic]]:
        if not isinstance(query, Mapping):
            raise QueryError("a query is an object with src, dst and port")
        if not KNOWN.issuperset(query):
            strange = min(str(key) for key in query.keys() - KNOWN)
            raise QueryError(f"{strange[:LONGEST]}: not a field of a query")
        source, destination = self._end(query, "src"), self._end(query, "dst")
        families, protocol, port = self._families(query, source, destination), _protocol(query), _port(query)
        return source, destination, [Traffic(family, protocol, port) for family in families]

    def _families(self, query: Raw, source: Place, destination: Place) -> Sequence[Family]:
        """The family that is asked for, else all in which the flow can be."""
        shared = _shared(query, source, destination)
        end = destination[0]
        if len(shared) == 1 or not isinstance(end, Service):
            return shared
        # In a family that none of its pods has, a Service leads nowhere: that is no answer where there is another.
        behind = {family for pod in self._services.pods(end) for family in pod.families}
        return [family for family in shared if family in behind] or shared

    def _end(self, query: Raw, key: str) -> Place:
        value = query.get(key)
        if isinstance(value, str):
            pod = self._pods.get(value)
            if pod is not None:
                return self._usable(pod, key)
            service = self._service(value, key)
            return service, self._services.families(service)
        if isinstance(value, Mapping) and set(value) == {"ip"} and isinstance(value["ip"], str):
            return self._address(value["ip"], key)
        raise QueryError(f'{key}: expected "namespace/pod" or {{"ip": "..."}}')

    def _usable(self, pod: Pod, key: str) -> Place:
        if pod.finished:
            raise QueryError(f"{key}: pod {pod.namespace}/{pod.name} has finished, and has no address any more")
        families = pod.families
        if not families:
            raise QueryError(f"{key}: pod {pod.namespace}/{pod.name} has no address yet")
        return pod, families

    def _service(self, value: str, key: str) -> Service:
        namespace, _, name = value.partition("/")
        kind, _, rest = name.partition("/")
        found = self._services.named(namespace, rest) if rest and kind in {"svc", "service"} else None
        if found is not None:
            return found
        if self._services.named(namespace, name) is not None:
            raise QueryError(f"{key}: no pod {value[:LONGEST]}; for the Service of that name: {namespace}/svc/{name}")
        raise QueryError(f"{key}: no pod {value[:LONGEST]} in this snapshot")

    def _address(self, text: str, key: str) -> Place:
        known = self._places.get(text)
        if known is None:
            plain = _plain(text, key)
            found = self._services.at(plain.ip) or self._model.resolve(plain)
            if len(self._places) >= MOST_KEPT:
                self._places.clear()
            known = self._places[text] = found, (family_of(plain.ip),)
        return known


def _plain(text: str, key: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise QueryError(f"{key}: not an IP address: {text[:LONGEST]}") from error
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return Address(str(address))


def _shared(query: Raw, source: Place, destination: Place) -> Sequence[Family]:
    wanted = query.get("family")
    here, there = source[1], destination[1]
    if wanted is None:
        if here == there:
            return here
        shared = [family for family in here if family in there]
        if not shared:
            raise QueryError("src and dst share no address family")
        return shared
    family = _FAMILIES.get(wanted.lower()) if isinstance(wanted, str) else None
    if family is None:
        raise QueryError(f"family: IPv4 or IPv6, not {_repeated(wanted)}")
    for key, families in (("src", here), ("dst", there)):
        if family not in families:
            raise QueryError(f"{key}: has no {family.value} address")
    return (family,)


_FAMILIES = {family.value.lower(): family for family in Family}
_PROTOCOLS = {protocol.value.lower(): protocol for protocol in Protocol}


def _protocol(query: Raw) -> Protocol:
    value = query.get("protocol")
    if value is None:
        return Protocol.TCP
    # A query is no manifest: people and programs write tcp.
    found = _PROTOCOLS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise QueryError(f"protocol: TCP, UDP or SCTP, not {_repeated(value)}")
    return found


def _port(query: Raw) -> int:
    value = query.get("port")
    number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LAST_PORT:
        raise QueryError(f"port: a number from 1 to {LAST_PORT}, not {_repeated(value)}")
    return number


def _repeated(value: object) -> str:
    """A value as a message repeats it: nothing that is nested, or too large a number to be written out."""
    if isinstance(value, str):
        return value[:LONGEST] or '""'
    if isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() <= LONGEST):
        return str(value).lower()
    return "nothing" if value is None else "something else"


def decided_by(end: DirectionDecision) -> list[str]:
    """The rules that decide one direction, where some allow or deny; else the policies that isolate."""
    return list(end.denying or end.allowing) or [str(ref) for ref in end.isolating]
