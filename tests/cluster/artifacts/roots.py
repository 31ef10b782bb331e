"""The images made of whole Debian root file systems: a toolbox, a web server, a database.

Each root is an artifact of its own, so that a changed command or tag does not fetch packages again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.artifacts import debian, images, oci
from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.images import ARCHIVE, write_images
from tests.cluster.artifacts.oci import File, Image, Symlink

ROOT = "root.tar"
ROOT_CODE = (Path(debian.__file__),)
IMAGE_CODE = (Path(__file__), Path(images.__file__), Path(oci.__file__))
POSTGRES_START = Path(__file__).with_name("postgres-start.sh")

# What the probes and the guides call; no busybox, which would answer to the same names.
TOOLBOX = ("bash", "bind9-dnsutils", "curl", "iproute2", "iputils-ping", "netcat-openbsd", "procps", "socat")
# One root for both servers: most of it is the same, and it halves the time.
SERVERS = ("nginx", "postgresql")

# The compiler for queries, a third of everything; without it the database says nothing and interprets them.
SERVERS_WITHOUT = (
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libz3*",
    "/usr/lib/postgresql/*/lib/llvmjit*",
    "/usr/lib/postgresql/*/lib/bitcode/*",
)

# apt leaves lists and logs behind, which differ from one build to the next and which nobody reads. The database's
# package makes a first database at once, which would shine through at every start.
TIDY = (
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/*.log "$1"/var/log/apt "$1"/tmp/*'
    ' "$1"/var/lib/postgresql/*'
)


def root_artifact(name: str, packages: Sequence[str], without: Sequence[str] = ()) -> Artifact:
    """Describe a root of some packages: they decide about building it anew, not what is in the archive today."""

    def build(job: Job) -> None:
        debian.make_root(packages, job.target / ROOT, without=without, hooks=(TIDY,))

    return Artifact(name, build, ROOT, parameters=(*packages, *without, TIDY), code=ROOT_CODE)


def _build_netshoot(job: Job) -> None:
    tags = ("netaudit.test/netshoot:1", "docker.io/nicolaka/netshoot:latest", "docker.io/pstauffer/curl:latest")
    write_images(job, [Image(tags, (job.needed["root-netshoot"],), command=("bash",))])


def _build_nginx(job: Job) -> None:
    layer = job.target / "layer.tar"
    # Where `kubectl logs` reads.
    oci.write_layer(
        {"var/log/nginx/access.log": Symlink("/dev/stdout"), "var/log/nginx/error.log": Symlink("/dev/stderr")}, layer
    )
    image = Image(
        ("docker.io/library/nginx:latest",),
        (job.needed["root-servers"], layer),
        command=("nginx", "-g", "daemon off;"),
        stop_signal="SIGQUIT",
    )
    write_images(job, [image])
    layer.unlink()


def _build_postgres(job: Job) -> None:
    root, layer = job.needed["root-servers"], job.target / "layer.tar"
    start = "usr/local/bin/postgres-start"
    oci.write_layer({start: File(POSTGRES_START, 0o755)}, layer)
    server = Image(
        ("docker.io/library/postgres:latest",), (root, layer), entrypoint=(f"/{start}",), stop_signal="SIGINT"
    )
    client = Image(("docker.io/jbergknoff/postgresql-client:latest",), (root, layer), entrypoint=("psql",))
    write_images(job, [server, client])
    layer.unlink()


ARTIFACTS = (
    root_artifact("root-netshoot", TOOLBOX),
    root_artifact("root-servers", SERVERS, SERVERS_WITHOUT),
    Artifact("image-netshoot", _build_netshoot, ARCHIVE, ("root-netshoot",), code=IMAGE_CODE),
    Artifact("image-nginx", _build_nginx, ARCHIVE, ("root-servers",), code=IMAGE_CODE),
    Artifact("image-postgres", _build_postgres, ARCHIVE, ("root-servers",), files=(POSTGRES_START,), code=IMAGE_CODE),
)
