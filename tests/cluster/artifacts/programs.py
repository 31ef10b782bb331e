"""The Go programs of the test cluster, built from modules that are pinned by content in ``tests/cluster/go``.

Only what is compiled by Go; images that carry the programs are made elsewhere.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError

SOURCES = Path(__file__).parents[1] / "go"
GO_REMEDY = "install Go 1.25 or newer (any since 1.21 fetches it when GOTOOLCHAIN=auto is set) and put it on the PATH"
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
CODE = (Path(__file__),)

KUBERNETES_VERSION = "v1.35.4"
CILIUM_MODULE = "github.com/cilium/cilium"
CILIUM_PROGRAMS = {
    "daemon": "usr/bin/cilium-agent",
    "cilium-dbg": "usr/bin/cilium-dbg",
    # The chart calls it by the name of upstream's build with the tag ipam_provider_operator.
    "operator": "usr/bin/cilium-operator-generic",
    "cilium-health/responder": "usr/bin/cilium-health-responder",
    "plugins/cilium-cni": "opt/cni/bin/cilium-cni",
}


def go_build(module: str, package: str, out: Path, *, variables: dict[str, str] | None = None, tags: str = "") -> None:
    """Compile one Go package of a pinned module into one static program."""
    go = require("go", GO_REMEDY)
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in (variables or {}).items())])
    run(
        [go, "build", *FLAGS, f"-tags={tags}", f"-ldflags={flags}", "-o", out, package],
        doing=f"compile {package}",
        remedy=f"read the output above; {GO_REMEDY}; modules come from GOPROXY",
        cwd=SOURCES / module,
        # Static, so that the program runs in any image; no flags from outside, which could undo the pins.
        env={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
    )


def module_folder(module: str, path: str) -> Path:
    """Give the folder of a pinned module's sources, after fetching them."""
    go = require("go", GO_REMEDY)
    environment = {"GOFLAGS": "", "GOWORK": "off"}
    # Its standard output is the answer; progress of the download would mix with that of `go list`.
    run([go, "mod", "download", path], doing=f"fetch {path}", cwd=SOURCES / module, env=environment)
    listed = run(
        [go, "list", "-mod=readonly", "-m", "-json", path],
        doing=f"find {path}",
        cwd=SOURCES / module,
        env=environment,
    )
    return Path(json.loads(listed)["Dir"])


def pinned_version(module: str, path: str) -> str:
    """Read a module's version from go.mod."""
    file = SOURCES / module / "go.mod"
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(path)} v(\S+)", file.read_text(), re.MULTILINE)
    if found is None:
        raise ArtifactError(f"cannot tell the version of {path}", f"{file} does not require it", "mend that go.mod")
    return found[1]


def _build_kube(job: Job) -> None:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    variables = {
        f"{package}.gitVersion": KUBERNETES_VERSION,
        f"{package}.gitMajor": major,
        f"{package}.gitMinor": minor,
    }
    go_build("kube", ".", job.target / "kube", variables=variables)


def _build_coredns(job: Job) -> None:
    go_build("coredns", ".", job.target / "coredns")


def _build_helm(job: Job) -> None:
    module = "helm.sh/helm/v3"
    variables = {f"{module}/internal/version.version": f"v{pinned_version('helm', module)}"}
    go_build("helm", f"{module}/cmd/helm", job.target / "helm", variables=variables)


def _build_cilium(job: Job) -> None:
    variables = {f"{CILIUM_MODULE}/pkg/version.ciliumVersion": pinned_version("cilium", CILIUM_MODULE)}
    for package, place in CILIUM_PROGRAMS.items():
        out = job.target / place
        go_build("cilium", f"{CILIUM_MODULE}/{package}", out, variables=variables, tags="ipam_provider_operator")


def _copy_cilium_chart(job: Job) -> None:
    source = module_folder("cilium", CILIUM_MODULE) / "install/kubernetes/cilium"
    shutil.copytree(source, job.target, dirs_exist_ok=True)
    # Go keeps its module cache read-only, which would make the copy hard to remove.
    run(["chmod", "-R", "u+w", job.target], doing="make the chart writable")


ARTIFACTS = (
    Artifact("kube", _build_kube, result="kube", files=(SOURCES / "kube",), code=CODE),
    Artifact("coredns", _build_coredns, result="coredns", files=(SOURCES / "coredns",), code=CODE),
    Artifact("helm", _build_helm, result="helm", files=(SOURCES / "helm",), code=CODE),
    Artifact("cilium", _build_cilium, files=(SOURCES / "cilium",), code=CODE),
    Artifact("cilium-chart", _copy_cilium_chart, files=(SOURCES / "cilium",), code=CODE),
)
