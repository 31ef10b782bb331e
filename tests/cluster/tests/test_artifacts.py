"""The artifacts do what the cluster needs of them: programs run, images run, clones of a template stay apart."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.artifacts import ArtifactError, clone_containerd_root, ensure
from tests.cluster.artifacts.containerd import ctr, running_containerd

pytestmark = pytest.mark.cluster

BUSYBOX = "docker.io/library/busybox:1.37"


class Node:
    """A containerd on a clone of the template, with containers that are only run and read."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self._socket = socket
        self._fifos = folder / "fifos"
        self._started = 0

    def run(self, image: str, *command: str) -> str:
        """Run a container to its end and return what it wrote."""
        return self._ctr("run", "--rm", *self._container(image), *command)

    def start(self, image: str) -> str:
        """Start a container with its image's own command and return its name."""
        words = self._container(image)
        self._ctr("run", "--detach", "--null-io", *words)
        return words[-1]

    def execute(self, container: str, *command: str) -> str:
        self._started += 1
        name = f"exec-{self._started}"
        return self._ctr("task", "exec", "--fifo-dir", str(self._fifos), "--exec-id", name, container, *command)

    def stop(self, container: str, signal: str = "SIGKILL") -> None:
        self._ctr("task", "kill", "--signal", signal, container)
        wait_for(lambda: "STOPPED" in self._ctr("task", "list"))
        self._ctr("task", "delete", container)
        self._ctr("container", "delete", container)

    def images(self) -> set[str]:
        return set(self._ctr("images", "list", "--quiet").split())

    def _container(self, image: str) -> list[str]:
        self._started += 1
        fifos = [] if not self._fifos.parent.exists() else ["--fifo-dir", str(self._fifos)]
        # Without a cgroup: nothing here needs limits, and its folders would outlive the test.
        return [*fifos, "--cgroup", "", image, f"test-{self._started}"]

    def _ctr(self, *words: str) -> str:
        return ctr(self._socket, *words, doing=f"ctr {' '.join(words)}")


@pytest.fixture(scope="module")
def template() -> Path:
    return ensure("containerd-plain")


@pytest.fixture(scope="module")
def nodes(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Two containerds at once on two clones."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    for folder in (one, two):
        clone_containerd_root(template, folder / "root")
    with running_containerd(one / "root", one) as first, running_containerd(two / "root", two) as second:
        yield Node(first, one), Node(second, two)


def wait_for(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def content(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Describe all files below a root; the count of hard links alone may change."""
    described = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            facts = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".db" else ""
            described[str(path.relative_to(root))] = (facts.st_mode, facts.st_size, facts.st_mtime_ns, digest)
    return described


def test_clones_work_at_once_and_leave_the_template_alone(template: Path, nodes: tuple[Node, Node]) -> None:
    before = content(template)
    one, two = nodes
    assert one.images() == two.images() >= {BUSYBOX, "netaudit.test/pause:1"}

    write = "echo mine >>/etc/passwd; rm /bin/wget; chmod 700 /bin/busybox; tail -n 1 /etc/passwd; ls /bin | wc -l"
    here, there = (
        one.run(BUSYBOX, "sh", "-c", write),
        two.run(BUSYBOX, "sh", "-c", "tail -n 1 /etc/passwd; ls -l /bin/wget"),
    )

    assert here.startswith("mine\n")
    assert there.startswith("nobody:")
    assert content(template) == before


def test_a_clone_takes_another_import(nodes: tuple[Node, Node], template: Path, tmp_path: Path) -> None:
    clone_containerd_root(template, tmp_path / "root")
    with running_containerd(tmp_path / "root", tmp_path) as socket:
        ctr(socket, "images", "remove", BUSYBOX, doing="remove an image")
        ctr(socket, "images", "import", str(ensure("image-busybox")), doing="import an image")
        assert Node(socket, tmp_path).run(BUSYBOX, "echo", "again") == "again\n"
    assert nodes[1].run(BUSYBOX, "echo", "still here") == "still here\n"


def test_a_clone_is_never_made_over_something(template: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="exists already"):
        clone_containerd_root(template, tmp_path)


def test_cloning_takes_a_moment(template: Path, tmp_path: Path) -> None:
    """A copy of the content would take many seconds; the limit is wide, for a busy machine."""
    started = time.monotonic()
    clone_containerd_root(template, tmp_path / "root")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("image", [BUSYBOX, "netaudit.test/busybox:musl"])
def test_upstreams_busybox_can_probe(nodes: tuple[Node, Node], image: str) -> None:
    assert "tcpsvd" in nodes[0].run(image, "busybox", "--list").split()
    probe = "tcpsvd 127.0.0.1 80 echo nonce & sleep 1; nc -z 127.0.0.1 80 && nc -w 1 127.0.0.1 80 </dev/null"
    assert nodes[0].run(image, "sh", "-c", probe) == "nonce\n"


def test_debians_busybox_lacks_what_debian_leaves_out(nodes: tuple[Node, Node]) -> None:
    said = nodes[0].run("netaudit.test/busybox:debian", "sh", "-c", "nc -z 127.0.0.1 80 2>&1; ls -l /etc/passwd; true")
    assert "invalid option" in said


def test_toolbox_holds_its_tools_and_no_busybox(nodes: tuple[Node, Node]) -> None:
    tools = ("nc", "socat", "curl", "dig", "ping", "bash", "ip", "ss")
    names = {line for line in nodes[0].images() if "netshoot" in line or "pstauffer" in line}
    assert names == {
        "netaudit.test/netshoot:1",
        "docker.io/nicolaka/netshoot:latest",
        "docker.io/pstauffer/curl:latest",
    }
    for image in sorted(names):
        found = nodes[0].run(
            image, "bash", "-c", f"command -v {' '.join(tools)}; command -v busybox; nc -h 2>&1 | head -1"
        )
        assert len(found.splitlines()) == len(tools) + 1
        assert found.splitlines()[-1].startswith("OpenBSD netcat")


def test_nginx_serves_its_welcome(nodes: tuple[Node, Node]) -> None:
    server = nodes[0].start("docker.io/library/nginx:latest")
    get = "exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
    wait_for(lambda: "Welcome to nginx!" in nodes[0].execute(server, "bash", "-c", f"({get}) 2>&1; true"))
    nodes[0].stop(server, "SIGQUIT")


def test_postgres_makes_itself_a_database(nodes: tuple[Node, Node]) -> None:
    server = nodes[1].start("docker.io/library/postgres:latest")
    ask = "psql -h 127.0.0.1 -U postgres -c '\\l' 2>&1; true"
    wait_for(lambda: "template1" in nodes[1].execute(server, "bash", "-c", ask))
    listening = nodes[1].execute(server, "cat", "/proc/net/tcp")
    assert ":1538 00000000:0000 0A" in listening  # 5432 on every address
    nodes[1].stop(server, "SIGINT")
    assert "psql (PostgreSQL)" in nodes[1].run("docker.io/jbergknoff/postgresql-client:latest", "psql", "--version")


def test_netaudits_own_image_holds_netaudit_and_what_it_needs(template: Path, tmp_path: Path) -> None:
    clone_containerd_root(template, tmp_path / "root")
    with running_containerd(tmp_path / "root", tmp_path) as socket:
        ctr(socket, "images", "import", str(ensure("image-netaudit")), doing="import an image")
        run = Node(socket, tmp_path).run
        needs = "import sys, ssl, auditor, probes, kubernetes.aio, jinja2, msgspec, yaml; print(sys.version_info[:2])"
        assert run("netaudit.test/netaudit:1", "python3", "-c", needs) == "(3, 11)\n"
        assert "65532" in run("docker.io/netaudit/netaudit:latest", "id", "-u")
        assert run("docker.io/netaudit/netaudit:latest", "netaudit", "--version").startswith("netaudit ")


def test_pause_ends_when_told(nodes: tuple[Node, Node]) -> None:
    nodes[0].stop(nodes[0].start("netaudit.test/pause:1"), "SIGTERM")


def test_coredns_has_the_plugins_of_a_cluster(nodes: tuple[Node, Node]) -> None:
    listed = nodes[0].run("netaudit.test/coredns:1", "/coredns", "-plugins")
    assert {"kubernetes", "forward", "cache", "errors", "health", "ready"} <= set(listed.split())


@pytest.mark.parametrize(
    "program", ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"]
)
def test_servers_report_the_version_that_is_asked_for(program: str) -> None:
    assert kube(program, "--version") == "Kubernetes v1.35.4\n"
    assert kube(program, "--version", version="v1.35.4-eks-abc") == "Kubernetes v1.35.4-eks-abc\n"


def test_kube_refuses_a_version_that_it_is_not() -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        kube("kubelet", "--version", version="v1.29.1")
    assert "must match major/minor/patch" in refused.value.stderr


def test_kube_goes_by_the_name_it_is_called_by(tmp_path: Path) -> None:
    (tmp_path / "kubectl").symlink_to(ensure("kube"))
    said = subprocess.run(
        [tmp_path / "kubectl", "version", "--client"], capture_output=True, text=True, check=True
    ).stdout
    assert "Client Version: v1.35.4" in said


def kube(*words: str, version: str = "") -> str:
    environment = {**os.environ, "NETAUDIT_SERVER_VERSION": version}
    return subprocess.run([ensure("kube"), *words], env=environment, capture_output=True, text=True, check=True).stdout


def test_helm_renders_ciliums_chart() -> None:
    rendered = subprocess.run(
        [ensure("helm"), "template", "cilium", ensure("cilium-chart"), "--namespace", "kube-system"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "kind: DaemonSet" in rendered
    assert "name: cilium-config" in rendered


def test_ciliums_image_has_what_the_chart_starts(tmp_path: Path) -> None:
    """Each program runs, and clang compiles the agent's own sources for the kernel's machine."""
    clone_containerd_root(ensure("containerd-cilium"), tmp_path / "root")
    image = "cilium.test/cilium:1.19.4"
    compile_it = (
        "clang --target=bpf -O2 -I/var/lib/cilium/bpf/include -c -x c - -o /dev/null <<<'int x(void) {return 0;}'"
    )
    with running_containerd(tmp_path / "root", tmp_path) as socket:
        run = Node(socket, tmp_path).run
        for program in ("cilium-agent", "cilium-operator-generic", "cilium-dbg"):
            assert "1.19.4" in run(image, program, "--version" if program != "cilium-dbg" else "version"), program
        said = run(image, "bash", "-ec", f"{compile_it}; iptables --version; ls /opt/cni/bin /cni /init-container.sh")
    assert {"cilium-cni", "loopback", "/init-container.sh"} <= set(said.split())
