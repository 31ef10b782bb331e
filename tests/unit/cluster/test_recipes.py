"""What the recipes decide by themselves: options, libraries, versions, errors, and what a clone shares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster.artifacts import clone_containerd_root
from tests.cluster.artifacts.busybox import set_options
from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.gomodules import pinned_version
from tests.cluster.artifacts.images import libraries
from tests.cluster.artifacts.oci import File, Symlink
from tests.cluster.artifacts.ownimage import installer

CONFIG = "CONFIG_TC=y\n# CONFIG_STATIC is not set\nCONFIG_TCPSVD=y\n"


def test_options_are_switched_and_others_left() -> None:
    assert (
        set_options(CONFIG, {"STATIC": True, "TC": False})
        == "# CONFIG_TC is not set\nCONFIG_STATIC=y\nCONFIG_TCPSVD=y\n"
    )


def test_an_option_that_is_not_there_is_added() -> None:
    assert set_options(CONFIG, {"NEW": True}) == f"{CONFIG}CONFIG_NEW=y\n"


def test_switching_twice_changes_nothing_more() -> None:
    once = set_options(CONFIG, {"STATIC": True, "TC": False})
    assert set_options(once, {"STATIC": True, "TC": False}) == once


def test_only_shared_libraries_of_the_library_folders_are_taken(tmp_path: Path) -> None:
    for name in ("lib/x86/libc.so.6", "lib/x86/notes.txt", "usr/share/lib.so", "etc/ld.so.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64/ld.so.2").symlink_to("/lib/x86/ld.so.2")
    assert libraries(tmp_path) == {
        "lib/x86/libc.so.6": File(tmp_path / "lib/x86/libc.so.6"),
        "lib64/ld.so.2": Symlink("/lib/x86/ld.so.2"),
    }


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("kube", "k8s.io/kubernetes"),
        ("coredns", "github.com/coredns/coredns"),
        ("helm", "helm.sh/helm/v3"),
        ("cilium", "github.com/cilium/cilium"),
    ],
)
def test_versions_are_read_from_the_pins(module: str, path: str) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pinned_version(module, path))


def test_a_module_that_is_not_pinned_has_no_version() -> None:
    with pytest.raises(ArtifactError, match="does not require it"):
        pinned_version("kube", "example.test/none")


def test_python_packages_are_pinned_by_hash_and_built_by_nobody(tmp_path: Path) -> None:
    words = installer(tmp_path)
    assert {"--require-hashes", "--no-deps", "--only-binary", "--target", str(tmp_path)} <= set(words)


def test_a_failed_program_is_told_with_the_end_of_its_output() -> None:
    script = "for n in $(seq 100); do echo line $n; done; echo 'no such header' >&2; exit 3"
    with pytest.raises(ArtifactError) as failed:
        run(["sh", "-c", script], doing="compile it", remedy="get the header")
    assert failed.value.what == "cannot compile it"
    assert "status 3" in failed.value.why
    assert "no such header" in failed.value.why
    assert "line 1\n" not in failed.value.why
    assert failed.value.remedy == "get the header"


def test_a_missing_program_is_told_with_how_to_get_it() -> None:
    with pytest.raises(ArtifactError, match="apt-get install frobnicate"):
        require("frobnicate-9", "apt-get install frobnicate")
    with pytest.raises(ArtifactError, match="frobnicate-9 was not found"):
        run(["frobnicate-9"], doing="frobnicate")


def test_an_error_says_what_why_and_try() -> None:
    assert str(ArtifactError("cannot", "because", "this")) == "cannot\n  why: because\n  try: this"


def make_template(folder: Path) -> Path:
    for name in ("meta/meta.db", "content/blobs/abc", "snapshots/metadata.db", "snapshots/snapshots/1/fs/bin/tool"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("original")
    (folder / "snapshots/snapshots/1/fs/tmp").mkdir()
    (folder / "snapshots/snapshots/1/fs/tmp").chmod(0o1777)
    return folder


def test_a_clone_shares_content_and_owns_its_databases(tmp_path: Path) -> None:
    template = make_template(tmp_path / "template")
    clone = tmp_path / "clones/one"
    clone_containerd_root(template, clone)
    for shared in ("content/blobs/abc", "snapshots/snapshots/1/fs/bin/tool"):
        assert (clone / shared).samefile(template / shared)
    assert (clone / "snapshots/snapshots/1/fs/tmp").stat().st_mode & 0o7777 == 0o1777
    for own in ("meta/meta.db", "snapshots/metadata.db"):
        (clone / own).write_text("changed")
        assert (template / own).read_text() == "original"


def test_a_clone_is_not_made_over_something(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="exists already"):
        clone_containerd_root(make_template(tmp_path / "template"), tmp_path)


def test_a_template_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot clone"):
        clone_containerd_root(tmp_path / "none", tmp_path / "clone")
