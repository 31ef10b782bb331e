"""Scale subresources of what autoscalers name."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.api import KubeApi
from auditor.cluster.resources import VERTICAL
from auditor.cluster.scales import scales, targets
from auditor.errors import PermissionMissing

GROUP = "/apis/argoproj.io/v1alpha1"
SCALE = f"{GROUP}/namespaces/shop/rollouts/web/scale"


class Server(KubeApi):
    """Serves one kind that can be scaled and one that cannot."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.asked: list[str] = []

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        self.asked.append(path)
        if path == self.refuses:
            raise PermissionMissing("refused", why="403", attempt="", status=403)
        if path == GROUP:
            names = {"rollouts": "Rollout", "rollouts/scale": "Scale", "analyses": "Analysis"}
            return {"resources": [{"name": name, "kind": kind} for name, kind in names.items()]}
        return {"kind": "Scale", "metadata": {"name": "web"}, "status": {"selector": "app=web"}}


def scaling(kind: str = "Rollout", version: str = "argoproj.io/v1alpha1", name: Any = "web") -> dict[str, Any]:
    target = {"apiVersion": version, "kind": kind, "name": name}
    return {"metadata": {"namespace": "shop"}, "spec": {"scaleTargetRef": target, "targetRef": target}}


@pytest.mark.parametrize("resource", ["horizontalpodautoscalers", VERTICAL])
async def test_a_foreign_kind_is_asked_for_its_scale(resource: str) -> None:
    server = Server()
    found = await scales(server, {resource: [scaling(), scaling()]})
    assert [(item["kind"], item["status"]["selector"]) for item in found] == [("Rollout", "app=web")]
    assert server.asked == [GROUP, SCALE]


@pytest.mark.parametrize("refused", [GROUP, SCALE])
async def test_what_may_not_be_read_stays_unknown(refused: str) -> None:
    assert await scales(Server(refused), {"horizontalpodautoscalers": [scaling()]}) == []


async def test_a_kind_without_a_scale_is_not_asked() -> None:
    server = Server()
    assert await scales(server, {"horizontalpodautoscalers": [scaling("Analysis"), scaling("None")]}) == []
    assert server.asked == [GROUP]


@pytest.mark.parametrize(
    "item",
    [
        scaling("Deployment", "apps/v1"),
        scaling("ReplicationController", "v1"),
        scaling(name="../../secrets"),
        scaling(name=None),
        scaling(version="a/b/c"),
        scaling(version="../v1"),
        {},
        "text",
    ],
)
def test_what_is_listed_anyway_or_makes_no_path_is_left_out(item: Any) -> None:
    """The names in an autoscaler are whatever somebody wrote there."""
    assert targets({"horizontalpodautoscalers": [item]}) == []
