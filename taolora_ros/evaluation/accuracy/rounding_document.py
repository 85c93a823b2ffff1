"""Ways of quantization as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from taolora_ros.evaluation.accuracy.rounding import Rounded
from taolora_ros.evaluation.accuracy.rounding_study import (
    REFERENCE,
    ArmRounded,
    RoundingFindings,
)
from taolora_ros.evaluation.intervals import ratio_of_sums


def rounding_to_mapping(findings: RoundingFindings) -> dict[str, dict[str, Any]]:
    """By way of quantization; the figures of RoSA and of the arm without a prefix."""
    methods = dict.fromkeys(
        [*findings.arm, *(m for each in findings.errors.values() for m in each)]
    )
    table: dict[str, dict[str, Any]] = {}
    for method in methods:
        row: dict[str, Any] = {}
        for name, errors in findings.errors.items():
            prefix = '' if name == 'rosa' else f'{name}_'
            row |= {f'{prefix}{key}': value for key, value in _errors(errors[method]).items()}
        if method in findings.arm:
            row |= _arm(findings.arm[method], findings.arm[REFERENCE])
        table[method] = row
    return table


def _errors(rounded: Sequence[Rounded]) -> dict[str, Any]:
    """Means over the detectors of a set."""
    layers = {
        name: {
            'steady': fmean(each.layers[name].steady for each in rounded),
            'transient': fmean(each.layers[name].event for each in rounded),
        }
        for name in rounded[0].layers
    }
    return {
        'bytes': fmean(each.bytes for each in rounded),
        'error_steady': fmean(each.whitened.steady for each in rounded),
        'error_transient': fmean(each.whitened.event for each in rounded),
        'error_unwhitened_steady': fmean(each.residual.steady for each in rounded),
        'error_unwhitened_transient': fmean(each.residual.event for each in rounded),
        'relation_error_steady': fmean(each.departure.steady for each in rounded),
        'relation_error_transient': fmean(each.departure.event for each in rounded),
        'layers': layers,
    }


def _arm(rounded: ArmRounded, reference: ArmRounded) -> dict[str, Any]:
    has_found = sum(reference.found) > 0
    return {
        'arm_bytes': rounded.bytes,
        'arm_events': rounded.events,
        'arm_found': sum(rounded.found),
        'arm_false_alarms': rounded.false_alarms,
        'recall_arm': sum(rounded.found) / rounded.events if rounded.events else None,
        'retained': (sum(rounded.found) / sum(reference.found) if has_found else None),
        'retained_interval': (
            asdict(ratio_of_sums(rounded.found, reference.found)) if has_found else None
        ),
        'arm_own_found': rounded.own_found,
        'arm_own_false_alarms': rounded.own_false_alarms,
    }
