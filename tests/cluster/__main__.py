"""The command line: python -m tests.cluster up|down|list|exec|kubectl|fault."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from tests.cluster import faults, lifecycle, provision, state
from tests.cluster.artifacts import ArtifactError
from tests.cluster.cluster import existing, record_of
from tests.cluster.errors import ClusterError
from tests.cluster.spec import NodeOptions, make_spec

_INTERRUPTED = 130
_PER_NODE = "NODE:KEY=VALUE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; exit 1 when it failed and 2 when it was not understood."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.action(options))
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: `down NAME`, or the next `up NAME`, removes what was started\n")
        return _INTERRUPTED
    except (ClusterError, ArtifactError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="Kubernetes clusters on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(commands.add_parser("up", help="start a cluster; the last line printed is its kubeconfig's path"))
    down = commands.add_parser("down", help="leave nothing of a cluster")
    down.add_argument("name")
    down.set_defaults(action=_down)
    commands.add_parser("list", help="what clusters there are").set_defaults(action=_list)
    execute = commands.add_parser("exec", help="run a command on a machine: a node, cp, or ext (the outside host)")
    execute.add_argument("name")
    execute.add_argument("machine")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    execute.set_defaults(action=_exec)
    kubectl = commands.add_parser("kubectl", help="kubectl as the cluster's administrator")
    kubectl.add_argument("name")
    kubectl.add_argument("command", nargs=argparse.REMAINDER)
    kubectl.set_defaults(action=_kubectl)
    fault = commands.add_parser("fault", help="make something go wrong, or right again")
    fault.add_argument("name")
    faults.add_to(fault)
    fault.set_defaults(action=_fault)
    return parser


def _add_up(up: argparse.ArgumentParser) -> None:
    up.add_argument("name")
    up.add_argument("--engine", choices=("none", "cilium"), default="none")
    up.add_argument("--nodes", type=int, default=2, metavar="N")
    up.add_argument("--dual-stack", action="store_true")
    up.add_argument("--bare-node", action="append", default=[], metavar="NODE", help="plain bridge, no agent")
    up.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="key of cilium-config")
    up.add_argument("--set-node", action="append", default=[], metavar=_PER_NODE, help="the same on one node alone")
    up.add_argument("--server-version", default="", metavar="V")
    up.add_argument("--node-label", action="append", default=[], metavar=_PER_NODE)
    up.add_argument("--provider-id", action="append", default=[], metavar="NODE:ID")
    up.set_defaults(action=_up)


def _fault(options: argparse.Namespace) -> int:
    options.act(existing(options.name), options)
    return 0


def _up(options: argparse.Namespace) -> int:
    per_node = NodeOptions(
        bare=options.bare_node,
        labels=_by_node(options.node_label),
        provider_ids=dict(_split(item, ":", "NODE:ID") for item in options.provider_id),
        settings=_by_node(options.set_node),
    )
    spec = make_spec(
        options.name,
        engine=options.engine,
        nodes=options.nodes,
        dual_stack=options.dual_stack,
        settings=dict(_split(item, "=", "KEY=VALUE") for item in options.set),
        server_version=options.server_version,
        per_node=per_node,
    )
    print(lifecycle.up(spec).kubeconfig)
    return 0


def _down(options: argparse.Namespace) -> int:
    lifecycle.down(options.name)
    return 0


def _list(_: argparse.Namespace) -> int:
    for name in state.names():
        record = state.load(name)
        if record is None:
            print(f"{name}\tremains of a start that was cut short")
            continue
        alive = all(process.alive() for process in record.inits.values())
        condition = "ready" if record.ready and alive else "broken"
        print(f"{name}\t{record.spec.engine.value}\t{len(record.spec.nodes)} node(s)\t{condition}\t{record.kubeconfig}")
    return 0


def _exec(options: argparse.Namespace) -> int:
    machine = record_of(options.name).machine(options.machine)
    return machine.run_attached(*_command(options))


def _kubectl(options: argparse.Namespace) -> int:
    environment = existing(options.name).environment()
    command = ["kubectl", *_command(options)]
    return subprocess.run(command, executable=provision.kube(), check=False, env=environment).returncode


def _command(options: argparse.Namespace) -> list[str]:
    return options.command[1:] if options.command[:1] == ["--"] else list(options.command)


def _by_node(items: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for item in items:
        node, setting = _split(item, ":", _PER_NODE)
        key, value = _split(setting, "=", _PER_NODE)
        found.setdefault(node, {})[key] = value
    return found


def _split(item: str, mark: str, shape: str) -> tuple[str, str]:
    left, found, right = item.partition(mark)
    if not found or not left:
        raise ValueError(f"{item!r} is not of the form {shape}")
    return left, right


if __name__ == "__main__":
    sys.exit(main())
