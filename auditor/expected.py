"""Expectations into the flows that they cover: every pair of identities that is meant, with the model's verdict.

Pure.  A word means what it means to `netaudit explain`; one that means nothing is an error, never nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from auditor.asking import Flow, Question, decide, flows_between, nothing_meant
from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.evaluate.reach import Classified
from auditor.explain import title
from auditor.identities import is_ours
from auditor.model.cluster import Pod, Service
from auditor.model.ends import Address
from auditor.model.expectation import Covered, Demand, Expectation, ExpectedFlow
from auditor.model.flow import Decision, Protocol
from auditor.model.matrix import Identity
from auditor.services import Services
from auditor.targets import Target, Targets

TRIED = frozenset({Protocol.TCP, Protocol.UDP, Protocol.SCTP})
"""Protocols that probes speak."""
OF_A_KIND = 2
"""Pods of an identity that are looked at: one, and another for it to talk to."""


def cover(model: Model, identities: Iterable[Identity], expectations: Sequence[Expectation]) -> tuple[Covered, ...]:
    """The flows of every expectation, in order; raises UsageError, with its line, for one that means none."""
    if not expectations:
        return ()
    finder = _Finder(model, identities)
    return tuple(Covered(item, finder.flows(item)) for item in expectations)


def demands(covered: Iterable[Covered]) -> frozenset[Demand]:
    """What a plan must hold, so that packets can tell of every flow of which they can."""
    return frozenset(flow.demand for item in covered for flow in item.flows if flow.demand is not None)


class _Finder:
    def __init__(self, model: Model, identities: Iterable[Identity]) -> None:
        self._model = model
        self._services = Services(model)
        self._targets = Targets(model, self._services)
        self._home: Mapping[tuple[str, str], Identity] = {
            (pod.namespace, pod.name): item for item in identities for pod in item.pods
        }
        # Unlike an identity a class tells pods apart by the blocks of addresses that policies name.
        pods = (pod for pod in model.snapshot.pods if (pod.namespace, pod.name) in self._home)
        self._class = Classified(model, pods).number

    def flows(self, expectation: Expectation) -> tuple[ExpectedFlow, ...]:
        """The flows of one expectation, each pair of identities once in each family."""
        try:
            return self._found(expectation)
        except UsageError as error:
            raise UsageError(f"{expectation.place}: {error.what}", why=error.why, attempt=error.attempt) from error

    def _found(self, expectation: Expectation) -> tuple[ExpectedFlow, ...]:
        source, destination = (
            self._fewer(self._targets.find(word)) for word in (expectation.source, expectation.destination)
        )
        question = Question(source, destination, expectation.protocol, expectation.port)
        notes = [*source.notes, *destination.notes]
        found: dict[object, ExpectedFlow] = {}
        for flow in flows_between(self._services, question, notes):
            made = self._expected(flow, decide(self._model, self._services, flow))
            found.setdefault(
                (made.demand or (made.source, made.destination), made.family, made.port, made.verdict), made
            )
        if not found:
            raise nothing_meant(question, notes)
        return tuple(sorted(found.values(), key=lambda it: (it.source, it.destination, it.family.value, it.port)))

    def _fewer(self, target: Target) -> Target:
        """Leave out pods that are like others in all that counts: what is so of two is so of each."""
        seen: Counter[object] = Counter()
        kept: list[Pod | Address] = []
        for end in target.ends:
            home = self._of(end)
            if isinstance(end, Pod) and home is not None:
                like = home.id, self._class.get((end.namespace, end.name)), end.ports, end.families
                seen[like] += 1
                if seen[like] > OF_A_KIND:
                    continue
            kept.append(end)
        return replace(target, ends=tuple(kept))

    def _of(self, end: Pod | Address | Service) -> Identity | None:
        return self._home.get((end.namespace, end.name)) if isinstance(end, Pod) else None

    def _expected(self, flow: Flow, decision: Decision) -> ExpectedFlow:
        one, other, traffic = self._of(flow.source), self._of(flow.destination), flow.traffic
        untested = self._untested(flow)
        demand = None
        if not untested and one is not None and other is not None:
            demand = Demand(one.id, other.id, traffic.protocol, traffic.port)
        return ExpectedFlow(
            source=_named(flow.source, one),
            destination=_named(flow.destination, other),
            family=traffic.family,
            protocol=traffic.protocol,
            port=traffic.port,
            verdict=decision.verdict,
            reason=decision.reason,
            policies=decision.denied_by,
            demand=demand,
            untested=untested,
        )

    def _untested(self, flow: Flow) -> str:
        """Why packets cannot tell of a flow; empty where they can."""
        if flow.traffic.protocol not in TRIED:
            return f"{flow.traffic.protocol.value} is not tried, only the model speaks of it"
        if flow.source == flow.destination:
            return "a pod reaches itself whatever policies say, so packets show nothing"
        return self._no_stand_in(flow.source) or self._no_stand_in(flow.destination)

    def _no_stand_in(self, end: Pod | Address | Service) -> str:
        if not isinstance(end, Pod):
            return "addresses outside of the cluster's pods are not tried, only the model speaks of them"
        name = title(end)
        if self._of(end) is not None:
            return ""
        if end.host_network:
            return f"{name} is on its node's network, where policies do not apply in a defined way"
        if is_ours(end):
            return f"{name} is netaudit's own"
        return f"{name} is in a system namespace, which is left alone unless it is named: -n {end.namespace}"


def _named(end: Pod | Address | Service, home: Identity | None) -> str:
    if home is not None:
        return home.title
    return f"Service {end.namespace}/{end.name}" if isinstance(end, Service) else title(end)
