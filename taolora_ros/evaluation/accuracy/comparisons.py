"""Our detector, its parts and the baselines on the same series, with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from taolora_ros.evaluation.accuracy.figures import mean_over, volumes
from taolora_ros.evaluation.accuracy.parts import LINEAR_SKIP, SUBSETS
from taolora_ros.evaluation.accuracy.study import RECORDED, Findings, SetFindings
from taolora_ros.evaluation.intervals import Interval, paired_difference

OURS = 'taolora'
PARTS = ('router', *SUBSETS)

Volumes = Mapping[str, float]  # VUS-PR by series


def detection_table(findings: Findings) -> dict[str, dict[str, Any]]:
    """Mean VUS-PR with its interval by method and set: ours, its parts, the baselines."""
    table: dict[str, dict[str, Any]] = {}
    for name, found in findings.sets.items():
        for method, series in _own(found).items():
            _enter(table, method, name, series)
    for name, methods in findings.peers.items():
        for method, series in methods.items():
            _enter(table, method, name, series)
    return table


def linear_skip_gain(findings: Findings) -> dict[str, Interval]:
    """What the whole detector adds to the evidence of its linear skip, by set."""
    gains = {}
    for name, found in findings.sets.items():
        own = _own(found)
        if own[OURS]:
            gains[name] = _difference(own[OURS], own[LINEAR_SKIP])
    return gains


def beyond(findings: Findings) -> dict[str, Any]:
    """How far ours is ahead of each baseline, by set; and which of them is the best one.

    On RoSA as recorded, ours is what it is on RoSA: it re-bases by itself.
    """
    ahead: dict[str, Any] = {}
    for name, methods in findings.peers.items():
        ours = volumes(findings.sets['rosa' if name == RECORDED else name].routed)
        means = {
            method: interval.mean
            for method, series in methods.items()
            if (interval := mean_over(series))
        }
        if means:
            ahead[name] = {
                'best': max(means, key=lambda method: means[method]),
                'ahead_of': {
                    method: asdict(_difference(ours, series)) for method, series in methods.items()
                },
            }
    return ahead


def _own(found: SetFindings) -> dict[str, Volumes]:
    labeled = [verdict for verdict in found.routed if verdict.parts]
    parts = {part: {v.name: v.parts[part] for v in labeled} for part in PARTS}
    return {OURS: volumes(found.routed), **parts}


def _enter(table: dict[str, dict[str, Any]], method: str, name: str, series: Volumes) -> None:
    interval = mean_over(series)
    if interval:
        table.setdefault(method, {})[name] = {**asdict(interval), 'series': len(series)}


def _difference(one: Volumes, other: Volumes) -> Interval:
    """Over the series that both have."""
    names = [name for name in one if name in other]
    return paired_difference([one[name] for name in names], [other[name] for name in names])
