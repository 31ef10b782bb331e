"""How long a snapshot takes to decode and to predict, and how that grows."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.cluster.decode import decode
from auditor.predict import predict
from tests.bench.clusters import cluster
from tests.bench.figures import Figure, timed

DECODED = (1_000, 10_000)
PREDICTED = (250, 500)
PODS_PER_NAMESPACE = 25


def figures() -> Iterator[Figure]:
    """Measure two sizes of each, so that the growth shows."""
    for pods in DECODED:
        raw = cluster(pods, pods // PODS_PER_NAMESPACE)
        yield timed(f"decode {pods:,} pods", lambda raw=raw: decode(raw))  # type: ignore[misc]
    for pods in PREDICTED:
        snapshot = decode(cluster(pods, pods // PODS_PER_NAMESPACE))
        identities = len(predict(snapshot, lambda _: True).identities)
        work = f"predict {pods:,} pods, {len(snapshot.policies):,} policies ({identities:,} identities)"
        yield timed(work, lambda snapshot=snapshot: predict(snapshot, lambda _: True), 1)  # type: ignore[misc]
