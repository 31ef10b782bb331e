"""Snapshot into the matrix of identities.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from auditor.evaluate.model import Model
from auditor.evaluate.reach import Classified, between
from auditor.identities import find_identities
from auditor.model.cluster import Pod, Snapshot
from auditor.model.dialect import API, Dialect
from auditor.model.matrix import ReachabilityMatrix


def predict(
    snapshot: Snapshot, covers: Callable[[Pod], bool], dialect: Dialect = API, *, own: bool = False
) -> ReachabilityMatrix:
    """Group the pods that `covers` accepts into identities and predict every TCP flow between them.

    netaudit's own pods are left out unless `own` says that they are what is asked about.
    """
    model = Model(snapshot, dialect=dialect)
    known = Classified(model, (pod for pod in snapshot.pods if covers(pod)))
    identities = find_identities(model, covers, classified=known, own=own)
    queries = sorted({query for identity in identities for query in identity.asks}, key=lambda q: (q[0].value, q[1]))
    found = between(known, queries)
    places = tuple(known.number[item.pods[0].namespace, item.pods[0].name] for item in identities)
    return ReachabilityMatrix(identities, places, found.families, found.queries, found.planes)
