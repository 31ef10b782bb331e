"""`netaudit demo`: manifests put on the nodes of a scene stay what they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

from auditor.cluster.saved import FileSource
from auditor.commands.demo import OnNodes

MANIFESTS = """
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop}, spec: {containers: [{name: main, image: none}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: odd, namespace: shop}
spec: {podSelector: {}, ingress: {}}
"""


def test_what_does_not_count_is_known_on_other_nodes_too(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(MANIFESTS)
    found = asyncio.run(OnNodes(FileSource([str(tmp_path)], bytes), ({"metadata": {"name": "n1"}},)).collect())
    assert [item.object for item in found.lost] == ["NetworkPolicy shop/odd"]
