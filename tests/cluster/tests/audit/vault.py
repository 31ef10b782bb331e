"""A restricted namespace of two identities on two nodes, one of which lets in only the other, on one port."""

from __future__ import annotations

from tests.cluster.tests.audit.command import CONTROL
from tests.cluster.tests.audit.site import RESTRICTED, Site, namespace, pod, policy, secured

HOME = "vault"
WEB, CLIENT = f"{HOME}/web", f"{HOME}/client"
DENIED = {(CLIENT, WEB, 8642), (CONTROL, WEB, 80), (CONTROL, WEB, 8642)}
"""What policies deny there, of all that is tried."""
LATE_POLICY = policy(HOME, "late", {"app": "client"}, ingress=[])
"""A policy that does not stand there, and would close what is open."""


def deploy(site: Site) -> None:
    """Make it and wait for its pods."""
    allowed = {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": 80}]}
    pods = (pod(HOME, "web", "n1", {"app": "web"}, [80]), pod(HOME, "client", "n2", {"app": "client"}))
    site.apply(
        namespace(HOME, **RESTRICTED),
        *({**item, "spec": secured(item["spec"])} for item in pods),
        policy(HOME, "web", {"app": "web"}, ingress=[allowed]),
    )
    site.await_ready()
