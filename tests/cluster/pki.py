"""Certificates, keys and kubeconfigs of one cluster, made by openssl.

A kubeconfig carries its certificates inside, so that a machine needs no more than the file.
"""

from __future__ import annotations

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import spec
from tests.cluster.errors import ClusterError
from tests.cluster.spec import ClusterSpec

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650")

API_SERVER_NAMES = (
    "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    "DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:::1,"
    f"IP:{spec.API_V4},IP:{spec.API_V6},IP:{spec.API_SERVICE_V4}"
)
KUBELET_CLIENT = "kube-apiserver-kubelet-client"


@dataclass(frozen=True, slots=True)
class Pki:
    """A folder of certificates."""

    folder: Path

    def cert(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def kubeconfig(self, client: str, server: str) -> str:
        """A kubeconfig for one of the clients; JSON, which is YAML as well."""
        cluster = {"server": server, "certificate-authority-data": _inline(self.cert("ca"))}
        user = {"client-certificate-data": _inline(self.cert(client)), "client-key-data": _inline(self.key(client))}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "netaudit-test", "cluster": cluster}],
                "users": [{"name": client, "user": user}],
                "contexts": [{"name": "netaudit-test", "context": {"cluster": "netaudit-test", "user": client}}],
                "current-context": "netaudit-test",
            },
            indent=1,
        )


def make_pki(folder: Path, cluster: ClusterSpec) -> Pki:
    """Everything that the cluster's programs need to trust each other."""
    folder.mkdir(mode=0o700)
    pki = Pki(folder)
    _openssl(
        "req",
        "-x509",
        *_KEY,
        "-keyout",
        str(pki.key("ca")),
        "-out",
        str(pki.cert("ca")),
        "-subj",
        "/CN=netaudit-test-ca",
    )
    wanted = {
        "apiserver": ("/CN=kube-apiserver", API_SERVER_NAMES),
        "admin": ("/O=system:masters/CN=admin", ""),
        "controller-manager": ("/CN=system:kube-controller-manager", ""),
        "scheduler": ("/CN=system:kube-scheduler", ""),
        "proxy": ("/CN=system:kube-proxy", ""),
        "kubelet-client": (f"/CN={KUBELET_CLIENT}", ""),
    }
    for node in cluster.nodes:
        name = f"system:node:{node.name}"
        wanted[f"kubelet-{node.name}"] = (f"/O=system:nodes/CN={name}", f"DNS:{node.name},IP:{node.v4},IP:{node.v6}")
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(_issue, pki, name, subject, names) for name, (subject, names) in wanted.items()]
        jobs.append(
            pool.submit(_openssl, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(pki.key("sa")))
        )
    for job in jobs:
        job.result()
    return pki


def _issue(pki: Pki, name: str, subject: str, alternative_names: str) -> None:
    names = ("-addext", f"subjectAltName={alternative_names}") if alternative_names else ()
    _openssl(
        "req", "-x509", "-CA", str(pki.cert("ca")), "-CAkey", str(pki.key("ca")), *_KEY,
        "-keyout", str(pki.key(name)), "-out", str(pki.cert(name)), "-subj", subject, *names,
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth,serverAuth",
    )  # fmt: skip


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError("a certificate cannot be made", done.stderr.strip()[-500:], "openssl 3.0 or newer is needed")


def _inline(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
