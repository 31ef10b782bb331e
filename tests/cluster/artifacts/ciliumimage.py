"""The one image that Cilium's chart needs here: agent, its init containers, CNI plugin and operator.

It follows the layout that upstream's Dockerfiles give to their images, made of Debian packages and Go programs.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.artifacts import debian, gomodules, oci
from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.gomodules import SOURCES, module_folder, pinned_version
from tests.cluster.artifacts.images import ARCHIVE, write_images
from tests.cluster.artifacts.oci import Entry, File, Image
from tests.cluster.artifacts.programs import CILIUM_MODULE
from tests.cluster.artifacts.roots import ROOT, TIDY

PACKAGES = (
    "bash",
    "ca-certificates",
    "iproute2",
    "ipset",
    "iptables",
    "kmod",
    "libatomic1",
    "libclang-cpp19",
    "libllvm19",
    "procps",
)
# Two single programs of packages that would bring a whole compiler and all other plugins along. Cilium 1.19 compiles
# with clang alone.
SINGLE = {
    "clang-19": ("usr/lib/llvm-19/bin/clang", "usr/bin/clang"),
    "containernetworking-plugins": ("usr/lib/cni/loopback", "cni/loopback"),
}
SCRIPTS = (
    "images/cilium/init-container.sh",
    "plugins/cilium-cni/install-plugin.sh",
    "plugins/cilium-cni/cni-uninstall.sh",
)
# Replaces iptables by a wrapper that follows kube-proxy's choice of nft or legacy, then removes itself.
WRAPPER = "images/runtime/iptables-wrapper-installer.sh"
WRAP = 'install -m 755 {script} "$1/tmp/wrap.sh" && chroot "$1" /tmp/wrap.sh --no-sanity-check'
UNUSED_BPF = frozenset({"tests", "complexity-tests", "custom"})


def _build_root(job: Job) -> None:
    wrapper = module_folder("cilium", CILIUM_MODULE) / WRAPPER
    with TemporaryDirectory(prefix="netaudit-cilium-") as temporary:
        debian.fetch_packages(tuple(SINGLE), Path(temporary))
        hooks = [
            f'install -D -m 755 {shlex.quote(f"{temporary}/{source}")} "$1/{place}"'
            for source, place in SINGLE.values()
        ]
        hooks += [WRAP.format(script=shlex.quote(str(wrapper))), TIDY]
        debian.make_root(PACKAGES, job.target / ROOT, hooks=hooks)


def _build_image(job: Job) -> None:
    source = module_folder("cilium", CILIUM_MODULE)
    entries: dict[str, Entry] = {Path(script).name: File(source / script, 0o755) for script in SCRIPTS}
    for part in sorted((source / "bpf").iterdir()):
        place = f"var/lib/cilium/bpf/{part.name}"
        if part.is_dir() and part.name not in UNUSED_BPF:
            entries |= oci.entries_below(part, place)
        elif part.is_file():
            entries[place] = File(part)
    entries |= oci.entries_below(job.needed["cilium"])
    layer = job.target / "layer.tar"
    oci.write_layer(entries, layer)
    tag = f"cilium.test/cilium:{pinned_version('cilium', CILIUM_MODULE)}"
    write_images(job, [Image((tag,), (job.needed["root-cilium"], layer), command=("/usr/bin/cilium-dbg",))])
    layer.unlink()


_CODE = tuple(Path(file) for file in (__file__, oci.__file__, gomodules.__file__))

ARTIFACTS = (
    Artifact(
        "root-cilium", _build_root, ROOT, files=(SOURCES / "cilium",), code=(Path(__file__), Path(debian.__file__))
    ),
    Artifact("image-cilium", _build_image, ARCHIVE, ("root-cilium", "cilium"), files=(SOURCES / "cilium",), code=_CODE),
)
