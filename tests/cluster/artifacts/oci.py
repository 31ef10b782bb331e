"""Write container images as archives that containerd, Docker and Podman can import.

Pure file work: no registry, no daemon, no cluster. The same input gives the same bytes, so an archive can be cached by
what went into it. The form is the one of ``docker save``, which can hold several images over shared layers.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tests.cluster.artifacts.errors import ArtifactError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A regular file of a layer."""

    content: bytes | Path
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder of a layer; needed only where its mode or owner matters, or where it is empty."""

    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link of a layer."""

    target: str


Entry = File | Directory | Symlink


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its names, its layers from the bottom up, and how it runs."""

    tags: tuple[str, ...]
    layers: tuple[Path, ...]
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    user: str = ""
    folder: str = ""
    """The working directory."""
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""


def write_layer(entries: Mapping[str, Entry], out: Path) -> None:
    """Write a layer from what lies at which path; folders above are added."""
    placed = {_checked(path): entry for path, entry in entries.items()}
    if len(placed) != len(entries):
        raise _bad_layer("the same path is given twice", "write each path once, without a leading slash or '.'")
    for path in tuple(placed):
        for parent in PurePosixPath(path).parents:
            above = placed.setdefault(str(parent), Directory())
            if not isinstance(above, Directory):
                raise _bad_layer(f"{path!r} lies below {str(parent)!r}, which is no folder", "move one of the two")
    placed.pop(".", None)
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(placed):
            _add_entry(archive, path, placed[path])


def entries_below(root: Path, place: str = "") -> dict[str, Entry]:
    """Describe a folder's files and links as they would lie below ``place``; they belong to root there."""
    entries: dict[str, Entry] = {}
    for path in sorted(root.rglob("*")):
        name = str(PurePosixPath(place) / path.relative_to(root).as_posix())
        if path.is_symlink():
            entries[name] = Symlink(str(path.readlink()))
        elif path.is_file():
            # What matters of the rest is decided by the umask of whoever unpacked it.
            entries[name] = File(path, 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    return entries


def write_archive(images: Sequence[Image], out: Path) -> None:
    """Write images into one archive; a layer that several of them use is stored once."""
    _check_tags(images)
    digests = {layer: _digest(layer) for image in images for layer in image.layers}
    manifest: list[dict[str, object]] = []
    configs: dict[str, bytes] = {}
    for image in images:
        config = _config(image, [digests[layer] for layer in image.layers])
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        configs[name] = config
        layers = [_layer_name(digests[layer]) for layer in image.layers]
        manifest.append({"Config": name, "RepoTags": list(image.tags), "Layers": layers})
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
        _add_bytes(archive, "manifest.json", _json(manifest))
        for name in sorted(configs):
            _add_bytes(archive, name, configs[name])
        # Two layer files of the same content are one layer.
        for digest, layer in sorted({digest: layer for layer, digest in digests.items()}.items()):
            with layer.open("rb") as content:
                _add_stream(archive, _layer_name(digest), layer.stat().st_size, content)


def architecture(machine: str | None = None) -> str:
    """Name this machine's architecture as images do."""
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ArtifactError(f"cannot build images for {machine}", "its name in images is not known", f"use {known}")
    return ARCHITECTURES[machine]


def _check_tags(images: Iterable[Image]) -> None:
    seen: set[str] = set()
    for image in images:
        if not image.layers or not image.tags:
            raise _bad_image(f"an image {image.tags} has no layer or no tag", "give each image one of both or more")
        for tag in image.tags:
            registry, _, rest = tag.partition("/")
            if "." not in registry or ":" not in rest:
                raise _bad_image(f"{tag!r} is not a full name", "write it as registry.example/name:tag")
            if tag in seen:
                raise _bad_image(f"{tag!r} is given twice", "give each tag to one image")
            seen.add(tag)


def _config(image: Image, digests: Sequence[str]) -> bytes:
    runs = {
        "Cmd": list(image.command),
        "Entrypoint": list(image.entrypoint),
        "Env": [f"{name}={value}" for name, value in sorted(image.environment.items())],
        "Labels": dict(image.labels),
        "StopSignal": image.stop_signal,
        "User": image.user,
        "WorkingDir": image.folder,
    }
    return _json(
        {
            "architecture": architecture(),
            "config": {key: value for key, value in runs.items() if value},
            "created": "1970-01-01T00:00:00Z",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        }
    )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _layer_name(digest: str) -> str:
    return f"{digest}/layer.tar"


def _digest(layer: Path) -> str:
    digest = hashlib.sha256()
    try:
        with layer.open("rb") as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise _bad_image(f"its layer cannot be read: {error}", "build the layer first") from error
    return digest.hexdigest()


def _checked(path: str) -> str:
    """Bring a path into the one form in which it is stored."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise _bad_layer(f"{path!r} does not lie below the root", "write paths relative to it, as in 'etc/passwd'")
    return str(pure)


def _add_entry(archive: tarfile.TarFile, path: str, entry: Entry) -> None:
    info = tarfile.TarInfo(path)
    match entry:
        case Symlink(target):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(info)
        case Directory(mode, owner):
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
            archive.addfile(info)
        case File(content, mode, owner):
            data = content if isinstance(content, bytes) else content.read_bytes()
            info.size, info.mode, info.uid, info.gid = len(data), mode, owner, owner
            archive.addfile(info, io.BytesIO(data))


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    _add_stream(archive, name, len(content), io.BytesIO(content))


def _add_stream(archive: tarfile.TarFile, name: str, size: int, content: BinaryIO) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, content)


def _bad_layer(why: str, remedy: str) -> ArtifactError:
    return ArtifactError("cannot write the layer", why, remedy)


def _bad_image(why: str, remedy: str) -> ArtifactError:
    return ArtifactError("cannot write the image archive", why, remedy)
