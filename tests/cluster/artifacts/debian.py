"""Get source packages, single binary packages and whole root file systems from this machine's Debian mirror.

The mirror, suites and keys are whatever apt on this machine uses; its configuration and state are read, never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TARGET_FORMAT = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
REMEDY = "check the connection to the Debian mirror, then apt-get update"
UNWANTED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")


def release() -> str:
    """Name the Debian release of this machine, whose programs and packages the images are made of."""
    fields = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    if fields.get("ID", "").strip('"') != "debian":
        raise ArtifactError(
            "cannot build the test cluster's images",
            f"they are made from Debian packages, and this is {fields.get('PRETTY_NAME', 'another system')}",
            "run it on Debian 12, or in a privileged container of it",
        )
    return fields["VERSION_CODENAME"].strip('"')


def sources(kinds: Iterable[str]) -> str:
    """Write apt source lines (``deb``, ``deb-src``) for the Debian archives that this machine uses."""
    listed = run(
        ["apt-get", "indextargets", "--format", TARGET_FORMAT, "Created-By: Packages", "Origin: Debian"],
        doing="read apt's sources",
    )
    archives = [line for line in listed.splitlines() if len(line.split()) == 3]
    if not archives:
        raise ArtifactError("cannot use apt", "it knows no Debian archive", "apt-get update, with a Debian mirror set")
    option = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    return "".join(f"{kind} {option}{archive}\n" for kind in kinds for archive in archives)


def fetch_source(package: str, folder: Path) -> Path:
    """Unpack the source of a package with Debian's patches below ``folder``, and return where it lies."""
    require("dpkg-source", "apt-get install dpkg-dev")
    folder.mkdir(parents=True, exist_ok=True)
    with _apt(("deb-src",)) as apt_options:
        run(
            ["apt-get", *apt_options, "source", "-qq", package],
            doing=f"fetch the source of {package}",
            remedy=REMEDY,
            cwd=folder,
        )
    found = [entry for entry in folder.iterdir() if entry.is_dir()]
    if len(found) != 1:
        raise ArtifactError(f"cannot unpack {package}", f"{len(found)} folders came out of it", "look at the package")
    return found[0]


def fetch_packages(packages: Sequence[str], folder: Path) -> None:
    """Unpack binary packages below ``folder`` without what they depend on."""
    with TemporaryDirectory(prefix="netaudit-deb-") as temporary, _apt(("deb",)) as apt_options:
        run(
            ["apt-get", *apt_options, "download", "-qq", *packages],
            doing=f"fetch {', '.join(packages)}",
            remedy=REMEDY,
            cwd=Path(temporary),
        )
        for archive in sorted(Path(temporary).glob("*.deb")):
            run(["dpkg-deb", "--extract", archive, folder], doing=f"unpack {archive.name}")


def make_root(
    packages: Sequence[str],
    out: Path,
    *,
    variant: str = "minbase",
    hooks: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write a root file system with these packages as a tar; a hook is shell text whose ``$1`` is the root."""
    require("mmdebstrap", "apt-get install mmdebstrap")
    # /dev is made by whoever runs the image; device nodes cannot be unpacked everywhere.
    options = ["--quiet", "--mode=root", f"--variant={variant}", "--skip=output/dev"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED]
    options += [f"--customize-hook={hook}" for hook in hooks]
    if packages:
        options.append(f"--include={','.join(packages)}")
    run(
        ["mmdebstrap", *options, release(), out, "-"],
        doing=f"make a Debian root file system with {', '.join(packages)}",
        remedy=f"run as root; {REMEDY}",
        # One fixed time for whatever is written during the build, so that two builds differ less.
        env={"SOURCE_DATE_EPOCH": "0", **(environment or {})},
        stdin=sources(("deb",)),
    )


@contextmanager
def _apt(kinds: Sequence[str]) -> Iterator[list[str]]:
    """Give apt options for sources and state of our own: the machine may list no source packages."""
    with TemporaryDirectory(prefix="netaudit-apt-") as temporary:
        folder = Path(temporary)
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        (folder / "sources.list").write_text(sources(kinds))
        settings = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            # apt's own user cannot read a folder that only we can.
            "APT::Sandbox::User": "root",
        }
        options = [f"--option={name}={value}" for name, value in settings.items()]
        run(["apt-get", *options, "update", "-qq"], doing="read the Debian archive's index", remedy=REMEDY)
        yield options
