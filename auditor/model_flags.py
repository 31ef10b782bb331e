"""Flags of the commands that send no packet: `predict` and `explain`.

Pure but for argparse.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from auditor.model.lint import LintSeverity

PREDICT_FORMATS = ("table", "json", "csv", "dot", "mermaid")
"""What `reports.prediction` renders."""
EXPLAIN_FORMATS = ("table", "json")
EXPECT_HELP = "a file of flows that must work or must not (schema netaudit.expectations/1); repeatable"
PREDICT_EXAMPLES = """\
examples:
  netaudit predict                                   the cluster of the current context
  netaudit predict -f k8s/ -f extra.yaml             manifests in files and folders
  helm template chart | netaudit predict -f -        what a chart would do
  kubectl get ns,pods,netpol,svc -A -o json | netaudit predict -f - -o json
  netaudit predict -f k8s/ --to shop/db --port 5432  who reaches the database
  netaudit predict -f k8s/ --expect flows.yaml       whether the policies say what they should
  netaudit predict --diff old/ new/                  which flows open and which close

exit codes: 0 done; 2 usage; 3 findings at or above --fail-on, flows that differ, or an expectation that the policies
break; 4 an expectation on which they are undefined or unknown, or part of the input was left out
"""
EXPLAIN_EXAMPLES = """\
SRC and DST: namespace/pod, namespace/workload, namespace/deployment/name, namespace/svc/name, a namespace,
10.0.0.1, 10.0.0.0/8, internet

examples:
  netaudit explain shop/web shop/db 5432
  netaudit explain -f k8s/ shop/deployment/web shop/svc/db 5432
  netaudit explain internet shop/web 443
  netaudit explain shop/web kube-system/coredns 53 --proto UDP
  netaudit explain --batch queries.jsonl > answers.jsonl
     a query a line: {"src": "shop/web-0", "dst": {"ip": "10.0.0.1"}, "port": 8080, "protocol": "TCP"}
     Between pods of two families both are asked about, unless the query has "family": "IPv4" or "IPv6". Where their
     verdicts differ, "families" has an answer for each, and "verdict" is the first that occurs of denied, unknown,
     undefined. Whole lines are answered as they arrive, so that a program can ask and wait.

exit codes: 0 answered, whatever the verdict; 2 usage; 4 part of the input was left out
"""


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Flags of `netaudit predict`."""
    _add_input(parser)
    group = parser.add_argument_group("what is shown")
    group.add_argument(
        "-n",
        "--namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="only flows with an end in this namespace; repeatable",
    )
    group.add_argument("-l", "--selector", metavar="LABELS", help="only workloads with these labels")
    group.add_argument(
        "--from",
        dest="sources",
        action="append",
        default=[],
        metavar="SRC",
        help="only flows from these pods",
    )
    group.add_argument(
        "--to", dest="destinations", action="append", default=[], metavar="DST", help="only flows to these pods"
    )
    group.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PORT[/PROTO]",
        help="80, 53/UDP or a port's name; repeatable (default: ports that pods declare or policies name)",
    )
    group.add_argument(
        "--diff", nargs=2, metavar=("OLD", "NEW"), help="compare two files or folders; what -f names belongs to both"
    )
    parser.add_argument("--expect", action="append", default=[], metavar="FILE", help=EXPECT_HELP)
    _add_output(parser, PREDICT_FORMATS)
    parser.add_argument(
        "--fail-on",
        choices=[item.value for item in LintSeverity],
        help="exit 3 where the policies have findings of this severity or above (default: never)",
    )


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Flags of `netaudit explain`."""
    parser.add_argument("src", nargs="?", metavar="SRC", help="who opens the connection")
    parser.add_argument("dst", nargs="?", metavar="DST", help="to whom")
    parser.add_argument("port", nargs="?", metavar="PORT", help="a number or the name of a container port")
    _add_input(parser)
    group = parser.add_argument_group("the flow")
    group.add_argument("--proto", metavar="NAME", help="TCP, UDP or SCTP (default: TCP)")
    group.add_argument(
        "--path",
        choices=["pod", "service"],
        default="pod",
        help="straight to the pod, or by the Services that select it (default: pod)",
    )
    group.add_argument("-n", "--namespace", default="default", metavar="NAME", help="of names without one")
    group.add_argument("--batch", metavar="FILE", help="answer a query per line of FILE, or of stdin for -")
    _add_output(parser, EXPLAIN_FORMATS)


def _add_input(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input")
    group.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        metavar="FILE",
        help="a file, a folder or - for stdin instead of a cluster; repeatable",
    )
    group.add_argument(
        "--dialect",
        metavar="ENGINE",
        help="whose answers to take where the API leaves something open: cilium, calico..., or api for nobody's "
        "(default: the engine that is found)",
    )


def _add_output(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FORMAT[=FILE]",
        help=f"{', '.join(formats)}; repeatable; without FILE to stdout (default: table)",
    )
