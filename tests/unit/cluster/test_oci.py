"""The image builder: what goes in comes out, the same input gives the same bytes, and bad input is refused."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.oci import (
    Directory,
    Entry,
    File,
    Image,
    Symlink,
    architecture,
    entries_below,
    write_archive,
    write_layer,
)

TAG = "registry.test/thing:1"

segments = st.text(alphabet="abcé .-", min_size=1, max_size=8).filter(lambda text: text not in {".", ".."})
file_trees = st.dictionaries(
    st.lists(segments, min_size=1, max_size=3).map("/".join), st.binary(max_size=40), max_size=6
)


def layer(folder: Path, entries: dict[str, Entry], name: str = "layer.tar") -> Path:
    out = folder / name
    write_layer(entries, out)
    return out


def image(*layers: Path, tags: tuple[str, ...] = (TAG,), **settings: Any) -> Image:
    return Image(tags, layers, **settings)


def members(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as opened:
        return {member.name: member for member in opened}


def content(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as opened:
        found = opened.extractfile(name)
        assert found is not None
        return found.read()


def manifest(archive: Path) -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = json.loads(content(archive, "manifest.json"))
    return parsed


def config(archive: Path, position: int = 0) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(content(archive, manifest(archive)[position]["Config"]))
    return parsed


def test_entries_keep_kind_mode_owner_and_target(tmp_path: Path) -> None:
    on_disk = tmp_path / "on-disk"
    on_disk.write_bytes(b"from a file")
    out = layer(
        tmp_path,
        {
            "bin/tool": File(on_disk, 0o755, owner=7),
            "tmp": Directory(0o1777),
            "bin/alias": Symlink("tool"),
            "etc/motd": File(b"hello"),
        },
    )
    found = members(out)
    assert (found["bin/tool"].mode, found["bin/tool"].uid, found["bin/tool"].gid) == (0o755, 7, 7)
    assert content(out, "bin/tool") == b"from a file"
    assert found["tmp"].isdir()
    assert found["tmp"].mode == 0o1777
    assert found["bin/alias"].linkname == "tool"
    assert content(out, "etc/motd") == b"hello"


def test_folders_above_come_before_what_lies_in_them(tmp_path: Path) -> None:
    assert list(members(layer(tmp_path, {"a/b/c": File(b"")}))) == ["a", "a/b", "a/b/c"]


def test_a_given_folder_is_not_replaced_by_an_added_one(tmp_path: Path) -> None:
    assert members(layer(tmp_path, {"root/x": File(b""), "root": Directory(0o700)}))["root"].mode == 0o700


@pytest.mark.parametrize(
    "entries",
    [
        {"/etc/passwd": File(b"")},
        {"../up": File(b"")},
        {"a/../../up": File(b"")},
        {"": File(b"")},
        {".": Directory()},
        {"a": File(b""), "./a": File(b"")},
        {"a": File(b""), "a/b": File(b"")},
        {"a": Symlink("/"), "a/b": File(b"")},
    ],
)
def test_paths_that_no_image_should_hold_are_refused(tmp_path: Path, entries: dict[str, Entry]) -> None:
    with pytest.raises(ArtifactError, match="cannot write the layer"):
        layer(tmp_path, entries)


@given(tree=file_trees)
def test_a_layer_holds_what_was_put_in(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("layer")
    entries: dict[str, Entry] = {path: File(data) for path, data in tree.items()}
    try:
        out = layer(folder, entries)
    except ArtifactError:
        # The only clash that such paths can have: one is a folder of another.
        assert any(other.startswith(f"{path}/") for path in tree for other in tree)
        return
    found = members(out)
    assert {name for name, member in found.items() if member.isfile()} == set(tree)
    assert all(content(out, path) == data for path, data in tree.items())


@given(tree=file_trees.filter(lambda tree: not any(other.startswith(f"{path}/") for path in tree for other in tree)))
def test_the_same_input_gives_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]) -> None:
    archives = []
    for order in (list(tree), list(reversed(tree))):
        folder = tmp_path_factory.mktemp("same")
        out = layer(folder, {path: File(tree[path]) for path in order})
        write_archive([image(out, labels={"b": "1", "a": "2"})], folder / "image.tar")
        archives.append((folder / "image.tar").read_bytes())
    assert archives[0] == archives[1]


def test_an_archive_names_and_hashes_its_parts(tmp_path: Path) -> None:
    base, top = layer(tmp_path, {"a": File(b"1")}, "base.tar"), layer(tmp_path, {"b": File(b"2")}, "top.tar")
    out = tmp_path / "image.tar"
    write_archive([image(base, top, tags=(TAG, "registry.test/thing:latest"))], out)
    (entry,) = manifest(out)
    assert entry["RepoTags"] == [TAG, "registry.test/thing:latest"]
    assert [content(out, name) for name in entry["Layers"]] == [base.read_bytes(), top.read_bytes()]
    assert config(out)["rootfs"]["diff_ids"] == [
        f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in (base, top)
    ]
    assert entry["Config"] == f"{hashlib.sha256(content(out, entry['Config'])).hexdigest()}.json"


def test_how_it_runs_is_in_the_config(tmp_path: Path) -> None:
    out = tmp_path / "image.tar"
    write_archive(
        [
            image(
                layer(tmp_path, {"a": File(b"")}),
                command=("serve",),
                entrypoint=("/a", "-x"),
                environment={"B": "2", "A": "1"},
                user="1:2",
                folder="/data",
                labels={"k": "v"},
                stop_signal="SIGINT",
            )
        ],
        out,
    )
    assert config(out)["config"] == {
        "Cmd": ["serve"],
        "Entrypoint": ["/a", "-x"],
        "Env": ["A=1", "B=2"],
        "User": "1:2",
        "WorkingDir": "/data",
        "Labels": {"k": "v"},
        "StopSignal": "SIGINT",
    }


def test_images_in_one_archive_share_layers(tmp_path: Path) -> None:
    base = layer(tmp_path, {"a": File(b"1")}, "base.tar")
    twin = layer(tmp_path, {"a": File(b"1")}, "twin.tar")
    out = tmp_path / "images.tar"
    write_archive([image(base), image(twin, tags=("registry.test/other:1",), command=("x",))], out)
    assert manifest(out)[0]["Layers"] == manifest(out)[1]["Layers"]
    assert sum(name.endswith("layer.tar") for name in members(out)) == 1
    assert "Cmd" not in config(out, 0)["config"]
    assert config(out, 1)["config"]["Cmd"] == ["x"]


@pytest.mark.parametrize(
    ("tags", "with_layer"),
    [
        ((), True),
        ((TAG,), False),
        (("busybox",), True),
        (("busybox:1", TAG), True),
        (("registry.test/thing",), True),
        ((TAG, TAG), True),
    ],
)
def test_images_without_a_full_name_or_layer_are_refused(
    tmp_path: Path, tags: tuple[str, ...], with_layer: bool
) -> None:
    layers = [layer(tmp_path, {"a": File(b"")})] if with_layer else []
    with pytest.raises(ArtifactError, match="cannot write the image archive"):
        write_archive([image(*layers, tags=tags)], tmp_path / "image.tar")
    assert not (tmp_path / "image.tar").exists()


def test_a_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.tar"):
        write_archive([image(tmp_path / "gone.tar")], tmp_path / "image.tar")


def test_a_folder_becomes_entries_without_owner_or_umask(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub/empty").mkdir(parents=True)
    (tree / "sub/plain").write_text("plain")
    (tree / "sub/tool").write_text("tool")
    (tree / "sub/plain").chmod(0o600)
    (tree / "sub/tool").chmod(0o700)
    (tree / "link").symlink_to("sub/gone")
    assert entries_below(tree, "opt") == {
        "opt/link": Symlink("sub/gone"),
        "opt/sub/plain": File(tree / "sub/plain", 0o644),
        "opt/sub/tool": File(tree / "sub/tool", 0o755),
    }


def test_a_folder_that_is_not_there_has_no_entries(tmp_path: Path) -> None:
    assert entries_below(tmp_path / "gone") == {}


def test_architectures_have_the_names_that_images_use() -> None:
    assert (architecture("x86_64"), architecture("aarch64")) == ("amd64", "arm64")
    assert architecture() == architecture(os.uname().machine)
    with pytest.raises(ArtifactError, match="riscv64"):
        architecture("riscv64")
