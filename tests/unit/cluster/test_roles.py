"""Who lacks a right is told which folder of deploy/kustomize has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from auditor.errors import PermissionMissing
from auditor.model.options import Mode, Options, Targets, Transport
from tests.unit.cluster.test_retry import served

KUSTOMIZE = Path(__file__).parents[3] / "deploy" / "kustomize"


async def forbidden(request: web.Request) -> web.Response:
    return web.json_response({"message": "nodes is forbidden"}, status=403)


@pytest.mark.parametrize(
    ("options", "granting"),
    [
        (Options(), "deploy/kustomize/clone;"),
        (Options(transport=Transport.LOGS), "deploy/kustomize/clone-logs;"),
        (Options(targets=Targets.SERVICE), "deploy/kustomize/clone-services;"),
        (Options(mode=Mode.SENTINEL), "deploy/kustomize/sentinel"),
        (Options(mode=Mode.SENTINEL, targets=Targets.SERVICE), "deploy/kustomize/sentinel-services"),
        (Options(mode=Mode.SHADOW), "deploy/kustomize/shadow;"),
        (Options(mode=Mode.INPLACE), "deploy/kustomize/inplace;"),
    ],
    ids=str,
)
async def test_who_lacks_a_right_is_told_the_role_of_what_was_asked_for(options: Options, granting: str) -> None:
    """And not that of another mode, which gives more, or not this right."""
    async with served(forbidden) as (api, _):
        api.overlay = options.overlay
        with pytest.raises(PermissionMissing) as caught:
            await api.get("/api/v1/nodes")
    assert f"{caught.value.attempt};".startswith(f"kubectl apply -k {granting}")
    assert (KUSTOMIZE / options.overlay / "kustomization.yaml").is_file()
