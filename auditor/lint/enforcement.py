"""What the cluster's engine is known to ignore of its policies, or to do otherwise than the API says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from auditor.engines import ENGINES, unsupported
from auditor.engines.cilium import ignored_by_cilium
from auditor.engines.engine import Remark
from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed
from auditor.lint.views import PolicyView
from auditor.model.finding import Confidence
from auditor.model.labels import LabelSelector
from auditor.model.lint import LintSeverity, ObjectRef
from auditor.model.words import plural
from auditor.policy.cilium_cluster import CONFIG

SETTINGS = "ConfigMap"
EVERY_POLICY = "enforcement"
"""The topic that is the same for all policies: one finding says it."""
HOME_LABEL = "io.cilium.k8s.namespace.labels."


def _remarks(case: Case) -> tuple[Remark, ...]:
    engine = ENGINES.get(case.engine.engine)
    return unsupported(engine, case.snapshot) if engine else ()


def ignored(case: Case) -> Iterator[Hit]:
    """What the engine ignores of single policies, or of all of them."""
    same: dict[tuple[ObjectRef, str], list[Remark]] = defaultdict(list)
    for remark in case.once(_remarks):
        if remark.topic != EVERY_POLICY and remark.object.kind != SETTINGS:
            same[remark.object, remark.topic].append(remark)
    yield from (_ignored(case, remarks) for remarks in same.values())
    every = [remark for remark in case.once(_remarks) if remark.topic == EVERY_POLICY]
    if every:
        count = plural(len(every), "NetworkPolicy object")
        yield Hit(
            every[0].object,
            "spec",
            f"{case.engine.title} does not enforce NetworkPolicy: neither this one nor any other",
            (every[0].text, f"{count} in the cluster", *_engine(case)),
            "switch enforcement on, or install an engine that enforces NetworkPolicy beside it",
            EVERY_POLICY,
            _severity(case, LintSeverity.ERROR, sure=every[0].sure),
        )


def _ignored(case: Case, remarks: list[Remark]) -> Hit:
    first, more = remarks[0], len(remarks) - 1
    perhaps = "does not do" if first.sure else "may not do"
    also = (f"the same holds at {listed(item.path for item in remarks[1:])}",) if more else ()
    return Hit(
        first.object,
        first.path or "spec",
        f"{case.engine.title} {perhaps} what this says ({first.topic})",
        (first.text, *also, *_engine(case)),
        "say it in another way, or check the engine's version and settings; then probe it with netaudit run",
        first.topic,
        _severity(case, LintSeverity.WARNING, sure=first.sure),
    )


def settings(case: Case) -> Iterator[Hit]:
    """Switches of the engine that change what policies mean for the whole cluster."""
    for remark in case.once(_remarks):
        if remark.object.kind == SETTINGS:
            yield Hit(
                remark.object,
                remark.path,
                f"a setting of {case.engine.title} makes policies mean something else ({remark.topic})",
                (remark.text, *_engine(case)),
                "set it back to its default, unless it is meant",
                remark.topic,
                _severity(case, LintSeverity.ERROR, sure=remark.sure),
            )


def _engine(case: Case) -> tuple[str, ...]:
    return tuple(f"{case.engine.title} is there: {text}" for text in case.engine.evidence[:1])


def _severity(case: Case, highest: LintSeverity, *, sure: bool) -> LintSeverity:
    """What is not sure, of the engine or of what it does, is no more than worth knowing."""
    return highest if sure and case.engine.confidence is not Confidence.SUSPECTED else LintSeverity.INFO


def ignored_labels(case: Case) -> Iterator[Hit]:
    """Selectors by labels that Cilium leaves out of identities: it selects otherwise than the API says."""
    if case.engine.engine != "cilium":
        return
    said = case.snapshot.settings.get(CONFIG)
    for view in case.network_policies:
        unseen = ignored_by_cilium(_keys(view), said or {})
        if unseen:
            keys = listed(key.removeprefix(HOME_LABEL) for key in unseen)
            unread = () if said is not None else (f"the ConfigMap {CONFIG}, which may change that, was not read",)
            yield Hit(
                view.object,
                "spec",
                f"selects by {keys}, which Cilium does not see",
                ("Cilium knows pods by the labels that it counts as relevant, and leaves these out", *unread),
                "select by another label, or add this one to the setting `labels` of the ConfigMap cilium-config",
                f"labels:{keys}",
                _severity(case, LintSeverity.WARNING, sure=said is not None),
            )


def _keys(view: PolicyView) -> frozenset[str]:
    """The keys of pod labels that a policy looks at, and of namespace labels as Cilium calls them."""
    own: list[LabelSelector | None] = [view.policy.pod_selector] if view.policy else []
    homes: list[LabelSelector | None] = []
    for rule in view.rules:
        own += [peer.peer.pod_selector for peer in rule.peers]
        homes += [peer.peer.namespace_selector for peer in rule.peers]
    keys = {key for selector in own if selector is not None for key in selector.keys}
    return frozenset(keys | {HOME_LABEL + key for selector in homes if selector is not None for key in selector.keys})


IGNORED = Lint("engine-ignores", "something that the engine does not do", LintSeverity.ERROR, ignored)
SETTING = Lint("engine-setting", "a setting that changes what policies mean", LintSeverity.ERROR, settings)
IGNORED_LABEL = Lint(
    "engine-ignores-label", "a label that the engine does not see", LintSeverity.WARNING, ignored_labels
)
