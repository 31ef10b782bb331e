"""What is said of shadows, as said of the workloads that they stand for.

Pure.  Reports speak of the user's namespaces and policies; only where pods and copies are made they keep their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from auditor.model.finding import Claim, Comparison, Judgement
from auditor.model.flow import Decision, DirectionDecision, PolicyRef
from auditor.model.matrix import Identity, ReachabilityMatrix
from auditor.model.probe import ProbePlan

OWN = re.compile(r"netaudit-ctl-[0-9]+")


class Told:
    """Words about shadows as words about what they stand for."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """Take the namespaces that are stood for, by those that stand for them; none leaves everything as it is."""
        self._names = names

    def text(self, text: str) -> str:
        """A sentence, or the name of a rule."""
        return OWN.sub(lambda found: self._names.get(found[0], found[0]), text)

    def plan(self, plan: ProbePlan) -> ProbePlan:
        """What is said of a plan; where pods and policies are made stays as it is."""
        if not self._names:
            return plan
        skipped = tuple(
            replace(item, what=self.text(item.what), reason=self.text(item.reason)) for item in plan.skipped
        )
        return replace(plan, skipped=skipped, notes=tuple(map(self.text, plan.notes)))

    def matrix(self, matrix: ReachabilityMatrix) -> ReachabilityMatrix:
        """The identities by the names of their workloads."""
        if not self._names:
            return matrix
        return replace(matrix, identities=tuple(self._identity(item) for item in matrix.identities))

    def _identity(self, item: Identity) -> Identity:
        name = self._names.get(item.namespace, item.namespace)
        return replace(item, namespace=name, pods=tuple(replace(pod, namespace=name) for pod in item.pods))

    def comparison(self, comparison: Comparison) -> Comparison:
        """Judgements and claims."""
        if not self._names:
            return comparison
        return Comparison(
            tuple(map(self._judgement, comparison.judgements)),
            tuple(map(self._claim, comparison.policies)),
            tuple(map(self._claim, comparison.nodes)),
            tuple(map(self._claim, comparison.rules)),
        )

    def _judgement(self, item: Judgement) -> Judgement:
        predicted = self._decision(item.flow.predicted)
        return replace(item, flow=replace(item.flow, predicted=predicted), reason=self.text(item.reason))

    def _decision(self, decision: Decision) -> Decision:
        return Decision(
            decision.verdict, self._end(decision.egress), self._end(decision.ingress), self.text(decision.reason)
        )

    def _end(self, end: DirectionDecision) -> DirectionDecision:
        return replace(
            end,
            isolating=tuple(map(self._ref, end.isolating)),
            allowing=tuple(map(self.text, end.allowing)),
            denying=tuple(map(self.text, end.denying)),
            reason=self.text(end.reason),
        )

    def _ref(self, ref: PolicyRef) -> PolicyRef:
        return replace(ref, namespace=self._names.get(ref.namespace, ref.namespace))

    def _claim(self, claim: Claim) -> Claim:
        subject = claim.subject
        told = self._ref(subject) if isinstance(subject, PolicyRef) else self.text(subject)
        return replace(claim, subject=told, reason=self.text(claim.reason))
