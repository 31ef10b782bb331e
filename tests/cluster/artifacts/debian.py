"""Get source packages, single binary packages and whole root file systems from this machine's Debian mirror.

The mirror, suites and keys are whatever apt on this machine uses; its configuration and state are read, never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MERGED = Path("/usr/share/mmdebstrap/hooks/merged-usr")
TARGET_FORMAT = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
REMEDY = "check that apt-get update works, with a Debian mirror in apt's sources"
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
    option = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    return "".join(f"{kind} {option}{archive}\n" for kind in kinds for archive in _archives())


def fetch_source(package: str, folder: Path) -> Path:
    """Unpack the source of a package with Debian's patches below ``folder``, and return where it lies."""
    require("dpkg-source", "apt-get install dpkg-dev")
    folder.mkdir(parents=True, exist_ok=True)
    with _apt("deb-src") as apt_options:
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
    with TemporaryDirectory(prefix="netaudit-deb-") as temporary, _apt("deb") as apt_options:
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
    variant: str = "essential",
    without: Sequence[str] = (),
    hooks: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write a root file system with these packages, but not these paths, as a tar.

    A hook is shell text that runs last; its ``$1`` is the root.
    """
    require("mmdebstrap", "apt-get install mmdebstrap")
    # Without the hook a package that merges /bin into /usr/bin comes along, and all of Perl with it.
    # /dev is made by whoever runs the image; device nodes cannot be unpacked everywhere.
    options = ["--quiet", "--mode=root", f"--variant={variant}", "--skip=output/dev", f"--hook-dir={MERGED}"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in (*UNWANTED, *without)]
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


@cache
def _archives() -> tuple[str, ...]:
    """Ask apt for the address, release and component of each Debian archive that it is set up to use."""
    # Only an index that has been read tells whose archive it is, and a container often comes without any.
    with _apt_state() as state:
        problem = ""
        try:
            run(["apt-get", *state, "update", "-qq"], doing="read apt's sources")
        except ArtifactError as error:
            # Another vendor's archive may be broken without harm; without any of Debian's this is the reason.
            problem = f": {error.why}"
        query = ["Created-By: Packages", "Origin: Debian"]
        listed = run(["apt-get", *state, "indextargets", "--format", TARGET_FORMAT, *query], doing="read apt's sources")
    archives = tuple(line for line in listed.splitlines() if len(line.split()) == 3)
    if not archives:
        raise ArtifactError("cannot fetch from Debian", f"apt reaches no archive of Debian{problem}", REMEDY)
    return archives


@contextmanager
def _apt_state() -> Iterator[list[str]]:
    """Give apt options for a state of our own, so that nothing of the machine's is touched or relied on."""
    with TemporaryDirectory(prefix="netaudit-apt-") as temporary:
        folder = Path(temporary)
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        settings = {
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            # apt's own user cannot read a folder that only we can.
            "APT::Sandbox::User": "root",
        }
        yield [f"--option={name}={value}" for name, value in settings.items()]


@contextmanager
def _apt(kind: str) -> Iterator[list[str]]:
    """Give apt options for Debian's archives alone, with their index read: the machine may list no source packages."""
    with _apt_state() as state, NamedTemporaryFile("w", prefix="netaudit-apt-", suffix=".list") as listed:
        listed.write(sources((kind,)))
        listed.flush()
        options = [*state, f"--option=Dir::Etc::SourceList={listed.name}", "--option=Dir::Etc::SourceParts=-"]
        run(["apt-get", *options, "update", "-qq"], doing="read the Debian archive's index", remedy=REMEDY)
        yield options
