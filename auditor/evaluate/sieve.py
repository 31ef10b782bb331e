"""Which rules match, read off sets of classes: for many questions about the same pods.

Pure.  Says what `clause_matches` says of each; who is in no class, an address outside for one, is asked the long way.
"""

from __future__ import annotations

from auditor.evaluate.bits import NONE
from auditor.evaluate.end import Selection
from auditor.evaluate.match import Asked
from auditor.evaluate.model import Model
from auditor.evaluate.reach import Classified
from auditor.model.flow import Direction, Traffic
from auditor.model.rules import Clause

MOST_KEPT = 50_000
"""Answers that are remembered; a batch may ask for any port."""
OUTSIDE = (-1,)
"""No answer: an end is in no class."""
Matching = tuple[int, tuple[tuple[int, int, int], ...]]
"""The classes that some clause may match; and of each such clause its number, whom it matches for sure, and whom
perhaps."""


def quicken(model: Model) -> None:
    """Make a model answer faster; worth its while from some thousand questions on."""
    sieve, one_by_one = Sieve(model), model.hits

    def hits(selection: Selection, asked: Asked) -> tuple[int, ...] | None:
        found = sieve.hits(selection, asked)
        return one_by_one(selection, asked) if found is OUTSIDE else found

    model.hits = hits


class Sieve:
    """The classes of a model's pods, and whom the rules for each of them match."""

    def __init__(self, model: Model) -> None:
        """Classify all pods of the snapshot."""
        known = Classified(model, model.snapshot.pods)
        self._bits = known.bits
        self._ends = [(model.end(pod), number) for number, item in enumerate(known.classes) for pod in item.pods]
        # What is looked up by identity must live as long as this.
        self._classes = {id(end): number for end, number in self._ends}
        self._matching: dict[tuple[int, ...], Matching] = {}

    def hits(self, selection: Selection, asked: Asked) -> tuple[int, ...] | None:
        """The numbers of the plain clauses that match; None where one of them only may, OUTSIDE for other ends."""
        subject, peer = self._classes.get(id(asked.subject)), self._classes.get(id(asked.peer))
        if subject is None or peer is None:
            return OUTSIDE
        traffic = asked.traffic
        key = id(selection), subject, traffic.port, id(traffic.protocol), id(traffic.family)
        matching = self._matching.get(key)
        if matching is None:
            if len(self._matching) >= MOST_KEPT:
                self._matching.clear()
            # Not told by who the destination is: of a pod that talks to itself it is both ends.
            inbound = any(item.section.direction is Direction.INGRESS for item in selection.applied[:1])
            matching = self._matching[key] = self._match(selection, traffic, subject if inbound else None)
        everybody, clauses = matching
        if not everybody >> peer & 1:
            return ()
        found = []
        for number, sure, perhaps in clauses:
            if perhaps >> peer & 1:
                if not sure >> peer & 1:
                    return None
                found.append(number)
        return tuple(found)

    def _match(self, selection: Selection, traffic: Traffic, destination: int | None) -> Matching:
        """Ask all plain clauses; `destination` is that of the flow where it is the same for all peers."""
        everybody, clauses = 0, []
        for number, clause in enumerate(selection.clauses or ()):
            fitting = self._fitting(clause, traffic, destination)
            answer = self._bits.answer(clause.peer, traffic.family) if fitting else NONE
            perhaps = answer.maybe & fitting
            if perhaps:
                everybody |= perhaps
                clauses.append((number, 0 if clause.unsure else answer.yes & fitting, perhaps))
        return everybody, tuple(clauses)

    def _fitting(self, clause: Clause, traffic: Traffic, destination: int | None) -> int:
        """The peers for which the ports fit."""
        if not clause.ports:
            return self._bits.everything
        meant = self._bits.meant(clause.ports, traffic.protocol, traffic.port)
        if destination is None:
            return meant
        return self._bits.everything if meant >> destination & 1 else 0
