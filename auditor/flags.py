"""The command line's flags, and how they become Options.

Pure but for argparse, which prints help and usage errors itself.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import partial

from auditor.errors import UsageError
from auditor.external import parse_externals
from auditor.flag_values import ELSEWHERE, add_settings, at_least, budget, default, fraction, seconds
from auditor.mode_flags import MODES, check_mode
from auditor.model.finding import Severity
from auditor.model.labels import LabelSelector, Operator, Requirement
from auditor.model.options import Coverage, Kind, Mode, Options, Targets, Transport
from auditor.model_flags import EXPECT_HELP, EXPLAIN_EXAMPLES, PREDICT_EXAMPLES, add_explain, add_predict
from auditor.pod_flags import add_probe_pods, check_transport
from auditor.sandbox_flags import DEMO, DEMO_EXAMPLES, add_demo, add_sandbox, check_sandbox
from auditor.stranger_flags import add_strangers, check_strangers, never_ports

DESCRIPTION = """\
netaudit finds out with packets whether a cluster enforces its NetworkPolicies.

It reads the cluster, predicts who may talk to whom, puts probe pods beside the workloads (never ready, never adopted,
removed afterwards), tries the connections, and reports every difference. It never changes a policy, nor a workload
unless --mode inplace asks for agents inside real pods.
"""
EPILOG = f"""\
{ELSEWHERE}
exit codes: 0 clean; 1 netaudit failed; 2 usage; 3 findings at or above --fail-on; 4 incomplete
"""
RUN_EXAMPLES = """\
examples:
  netaudit run                                  audit the current context, table on stdout
  netaudit run --dry-run                        say what would be made and tried, make nothing
  netaudit run -n shop -o table -o html=r.html  one namespace; table, and a page for the browser
  netaudit run --expect flows.yaml              also tell what of this file is so
  netaudit run -o json=r.json --fail-on medium  for machines; exit 3 also for blockages
  netaudit run --mode sentinel                  does each node enforce at all; needs no right outside its own namespaces
  netaudit run --mode inplace -n shop --dry-run which real pods would get an ephemeral container, for good
  netaudit run --external 203.0.113.7:443=deny  also whether probe pods can connect to an address outside
  netaudit run --coverage full                  every pair of identities on every port
  netaudit run --sandbox -f manifests/          rehearse manifests on this machine, before any cluster sees them
  netaudit run --resume last                    go on from a run that was killed or incomplete

exit codes: 0 clean; 1 netaudit failed; 2 usage; 3 findings at or above --fail-on; 4 incomplete
"""
DEFAULTS = Options()
RUN_FORMATS = ("table", "json", "html", "junit")
"""What `reports` renders."""
SELECTOR_PART = re.compile(r"!?[A-Za-z0-9][A-Za-z0-9._/-]*|[A-Za-z0-9][A-Za-z0-9._/-]*(=|==|!=)[A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Output:
    """One `-o`: a format, and the file it goes to; None is stdout."""

    format: str
    file: str | None


def build_parser(
    formats: Sequence[str], version: str, kind: type[argparse.ArgumentParser] = argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """The parser of the whole command; `kind` says what becomes of mistakes."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = kind("netaudit", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"netaudit {version}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = partial(commands.add_parser, formatter_class=raw)
    beside_cluster = partial(add, parents=[_shared()])
    run = beside_cluster(
        "run",
        help="audit a cluster: predict, probe, compare, report",
        description="Audit the cluster of the current kubeconfig context, or the one this runs in.",
        epilog=RUN_EXAMPLES,
    )
    _add_scope(run)
    add_sandbox(run)
    _add_journal(run)
    _add_report(run, formats)
    _add_limits(run)
    predict = beside_cluster(
        "predict",
        help="what the policies mean: who may talk to whom, what is odd about them; no pods made",
        description="Say what the policies of a cluster, or of files, mean for every flow; nothing is made or sent.",
        epilog=PREDICT_EXAMPLES,
    )
    add_predict(predict)
    explain = beside_cluster(
        "explain",
        help="why a flow is allowed or denied: the policies and rules that decide it",
        description="Say why a flow is allowed or denied, rule by rule; nothing is made or sent.",
        epilog=EXPLAIN_EXAMPLES,
    )
    add_explain(explain)
    demo = add(
        "demo",
        help="the same audit of examples in a sandbox on this machine; no cluster needed",
        description=DEMO,
        epilog=DEMO_EXAMPLES,
    )
    add_demo(demo)
    cleanup = beside_cluster(
        "cleanup",
        help="remove whatever earlier runs left",
        description="Remove whatever earlier runs left; refuses while a run is alive.",
    )
    _add_cleanup(cleanup)
    return parser


def _shared() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    group = shared.add_argument_group("cluster")
    group.add_argument("--kubeconfig", metavar="FILE", help="instead of KUBECONFIG or ~/.kube/config")
    group.add_argument("--context", metavar="NAME", help="context of the kubeconfig instead of the current one")
    group.add_argument(
        "--rate",
        type=at_least(1),
        default=DEFAULTS.rate,
        metavar="N",
        help=default("API requests a second", DEFAULTS.rate),
    )
    add_settings(shared)
    return shared


def _add_cleanup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="even while a run holds its Lease")
    parser.add_argument("--dry-run", action="store_true", help="only name what would be removed")
    parser.add_argument(
        "--mode",
        choices=[item.value for item in Mode],
        default=DEFAULTS.mode.value,
        help=default("sentinel: look only into netaudit's own namespaces; clone: everywhere", DEFAULTS.mode.value),
    )


def _add_scope(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is audited")
    group.add_argument(
        "-n",
        "--namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="audit only this namespace; repeatable (default: all but system ones)",
    )
    group.add_argument(
        "-l", "--selector", metavar="LABELS", help="audit only workloads with these labels, as kubectl takes them"
    )
    group.add_argument(
        "--mode",
        choices=[item.value for item in Mode],
        default=DEFAULTS.mode.value,
        help=default(
            MODES,
            DEFAULTS.mode.value,
        ),
    )
    _add_coverage(group)
    group.add_argument("--expect", action="append", default=[], metavar="FILE", help=EXPECT_HELP)
    add_strangers(group)
    group.add_argument("--dry-run", action="store_true", help="say what would be made and tried, make nothing")
    group.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=[item.value for item in Kind],
        metavar="KIND",
        help=f"test workloads although this may react: {', '.join(item.value for item in Kind)}; repeatable",
    )
    add_probe_pods(group)


def _add_journal(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("earlier runs")
    group.add_argument(
        "--resume",
        metavar="RUN",
        help="go on from a run that did not end well, by its id or `last`: what it measured within the last hour and "
        "nothing bears on that changed is taken over",
    )
    group.add_argument(
        "--journal",
        metavar="DIR",
        help="where runs note down what others may go on from (default: in the user's state directory)",
    )


def _add_coverage(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--coverage",
        choices=[item.value for item in Coverage],
        default=DEFAULTS.coverage.value,
        help=default(
            "smoke: each node and direction once; rules: each policy direction, rule, node and identity, and a "
            "sample of the other denials; full: every pair and port",
            DEFAULTS.coverage.value,
        ),
    )
    group.add_argument(
        "--seed",
        type=at_least(0),
        default=DEFAULTS.seed,
        metavar="N",
        help=default("by which --coverage rules draws its sample", DEFAULTS.seed),
    )
    group.add_argument(
        "--enforce-time",
        action=argparse.BooleanOptionalAction,
        help="also time on each node how soon policies hold, with a policy and two pods of netaudit's own "
        "(default: with --mode sentinel)",
    )


def _add_report(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    group = parser.add_argument_group("report")
    names = ", ".join(formats)
    group.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FORMAT[=FILE]",
        help=f"{names}; repeatable; without FILE to stdout (default: table)",
    )
    group.add_argument(
        "--fail-on",
        choices=[item.value for item in Severity],
        default=DEFAULTS.fail_on.value,
        help=default("exit 3 from this severity on", DEFAULTS.fail_on.value),
    )
    group.add_argument(
        "--min-coverage",
        type=fraction,
        default=DEFAULTS.min_coverage,
        metavar="PART",
        help=default("exit 4 below this part of the planned flows judged", DEFAULTS.min_coverage),
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    group.add_argument(
        "--settle",
        type=seconds,
        default=DEFAULTS.settle,
        metavar="SECONDS",
        help=default("how long a surprise is tried again before it stands", DEFAULTS.settle),
    )
    group.add_argument(
        "--start-timeout",
        type=seconds,
        default=DEFAULTS.start_timeout,
        metavar="SECONDS",
        help=default("how long probe pods may take to run; it begins anew when one does", DEFAULTS.start_timeout),
    )
    group.add_argument(
        "--budget",
        type=budget,
        default=DEFAULTS.budget,
        metavar="SECONDS",
        help=default("for the whole run, cleanup included", DEFAULTS.budget),
    )
    group.add_argument(
        "--max-pods",
        type=at_least(3),
        default=DEFAULTS.max_pods,
        metavar="N",
        help=default("probe pods at most, and real pods that are marked", DEFAULTS.max_pods),
    )
    group.add_argument(
        "--max-flows",
        type=at_least(1),
        default=DEFAULTS.max_flows,
        metavar="N",
        help=default("flows at most", DEFAULTS.max_flows),
    )


def options_from(flags: argparse.Namespace) -> Options:
    """The options of `netaudit run`; raises UsageError for a selector that makes no sense, or has none in this mode."""
    mode = Mode(flags.mode)
    check_sandbox(flags)
    check_mode(flags, mode)
    _check_beside(flags, mode)
    return Options(
        mode=mode,
        namespaces=tuple(sorted(set(flags.namespace))),
        selector=parse_selector(flags.selector) if flags.selector else None,
        image=flags.image,
        agent=flags.agent,
        transport=Transport(flags.transport),
        max_pods=flags.max_pods,
        max_flows=flags.max_flows,
        rate=flags.rate,
        budget=flags.budget,
        settle=flags.settle,
        start_timeout=flags.start_timeout,
        min_coverage=flags.min_coverage,
        fail_on=Severity(flags.fail_on),
        allow=tuple(sorted(set(flags.allow))),
        # Sentinels stand where they prove most: there is nothing to choose from.
        coverage=Coverage.FULL if mode is Mode.SENTINEL else Coverage(flags.coverage),
        seed=flags.seed,
        externals=parse_externals(flags.external),
        targets=Targets(flags.targets),
        never_ports=never_ports(flags),
        ping=flags.ping,
        sandbox=flags.sandbox,
        fault=flags.fault or "",
        enforce_time=mode is Mode.SENTINEL if flags.enforce_time is None else flags.enforce_time,
    )


def _check_beside(flags: argparse.Namespace, mode: Mode) -> None:
    if mode is Mode.SHADOW and flags.enforce_time:
        raise UsageError(
            "--mode shadow does not time how soon policies hold",
            why="the namespace where it would be timed holds copies of policies, which may deny what is to be tried",
            attempt="--mode sentinel --enforce-time",
        )
    check_strangers(flags)
    check_transport(flags)


def parse_selector(text: str) -> LabelSelector:
    """A label selector as kubectl writes it: `a=b`, `a==b`, `a!=b`, `a`, `!a`, joined by commas."""
    requirements = [_requirement(part.strip()) for part in text.split(",") if part.strip()]
    if not requirements:
        raise _bad_selector(text)
    return LabelSelector(tuple(requirements))


def _requirement(part: str) -> Requirement:
    if not SELECTOR_PART.fullmatch(part):
        raise _bad_selector(part)
    if "!=" in part:
        key, _, value = part.partition("!=")
        return Requirement(key, Operator.NOT_IN, frozenset({value}))
    if "=" in part:
        key, _, value = part.replace("==", "=").partition("=")
        return Requirement(key, Operator.IN, frozenset({value}))
    if part.startswith("!"):
        return Requirement(part[1:], Operator.DOES_NOT_EXIST)
    return Requirement(part, Operator.EXISTS)


def _bad_selector(text: str) -> UsageError:
    return UsageError(
        f"cannot read the selector {text!r}",
        why="only a=b, a!=b, a and !a joined by commas are understood",
        attempt="-l app=web,tier!=test",
    )


def outputs_from(flags: argparse.Namespace, formats: Container[str]) -> tuple[Output, ...]:
    """The outputs asked for, the table on stdout where none was; raises UsageError for an unknown format."""
    outputs = []
    for text in flags.output or ["table"]:
        name, equals, file = text.partition("=")
        if name not in formats or (equals and not file):
            raise UsageError(
                f"no output {text!r}",
                why="the format is not known or the file has no name",
                attempt="netaudit --help",
            )
        outputs.append(Output(name, file or None))
    return tuple(outputs)
