"""Pictures of the curves over all runs: ranking, delay, and what other thresholds would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from taolora_ros.evaluation.canvas import (
    FAINT,
    FALSE,
    FOUND,
    INK,
    TRUTH,
    TWIN,
    envelope,
    explain,
    percent_axis,
    sheet,
)
from taolora_ros.evaluation.curves import DelayCurve, PrecisionRecall
from taolora_ros.evaluation.operating import OperatingCurve
from taolora_ros.evaluation.phrases import seconds

SINGLE_RUNS = 30  # more curves of single runs would be one gray patch


@dataclass(frozen=True, slots=True)
class Point:
    """Where the detector stands on an operating curve."""

    threshold: float
    false_alarms_per_hour: float
    asked_per_hour: float
    fresh: float  # share of the true events found by an alarm raised after the onset, 0 to 1


def precision_recall_figure(
    pooled: PrecisionRecall,
    single: Sequence[PrecisionRecall],
    twin: PrecisionRecall | None = None,
) -> str:
    """Precision against recall of rows, with the operating point.

    Args:
        pooled: the rows of all runs in one ranking.
        single: each run's own ranking; not drawn for one run alone.
        twin: the pooled rows ranked by the FP32 twin.
    """

    def draw(plot: Axes) -> None:
        several = len(single) > 1
        for curve in single[:SINGLE_RUNS] if several else ():
            label = 'one run' if curve is single[0] else None
            _steps(plot, curve, color=FAINT, linewidth=0.7, alpha=0.7, label=label)
        if twin is not None:
            _steps(plot, twin, color=TWIN, linewidth=1.2, label='FP32 twin')
        _steps(plot, pooled, color=INK, linewidth=1.6, label='all runs' if several else 'rows')
        plot.axhline(pooled.chance, color=FAINT, linestyle=':', label='chance')
        if pooled.threshold_precision is not None:
            _mark(plot, pooled.threshold_recall, pooled.threshold_precision)
        percent_axis(plot, 'x', 'y')
        plot.set(xlabel='recall of anomalous rows', ylabel='precision')
        plot.set(xlim=(0, 1.01), ylim=(0, 1.03))
        explain(plot)

    return sheet(draw)


def _steps(plot: Axes, curve: PrecisionRecall, **style: Any) -> None:
    recall, precision = envelope(curve.recall, curve.precision, columns=300)
    plot.step(recall, precision, where='pre', **style)


def _mark(plot: Axes, x: float, y: float) -> None:
    plot.plot(
        [x],
        [y],
        'D',
        color=TRUTH,
        markersize=7,
        markeredgecolor='white',
        zorder=5,
        label='at the threshold',
    )


def delay_figure(curve: DelayCurve, least_s: float) -> str:
    """Share of true events reported within a time of their onset.

    Args:
        curve: the delays.
        least_s: where the axis begins at the latest, above 0, e.g. the time of one token.
    """
    delays = np.maximum(curve.delays_s, least_s / 10)  # a delay of 0 has no place on a log axis
    lowest = min(least_s, float(delays.min(initial=least_s))) / 1.6
    highest = 2.5 * max(float(delays.max(initial=0.0)), 10 * least_s)
    times = np.concatenate(([lowest], delays, [highest]))
    shares = np.concatenate(([0], np.arange(1, len(delays) + 1), [len(delays)])) / curve.events
    subdivisions = (1, 2, 5) if highest < 1000 * lowest else (1,)
    found, missed = len(delays) / curve.events, curve.missed / curve.events

    def draw(plot: Axes) -> None:
        plot.fill_between(times, shares, step='post', color=FOUND, alpha=0.18, linewidth=0)
        plot.step(times, shares, where='post', color=FOUND, linewidth=1.6, label='reported')
        if len(delays):
            middle = float(np.median(delays))
            plot.axvline(middle, color=INK, linestyle=':', label=f'median {seconds(middle)}')
        if curve.standing:
            label = f'alarm already stood: {curve.standing}'
            plot.axhspan(found, 1 - missed, color=FAINT, alpha=0.25, linewidth=0, label=label)
        if curve.missed:
            plot.axhspan(
                1 - missed,
                1,
                facecolor='none',
                edgecolor=TRUTH,
                hatch='////',
                linewidth=0,
                label=f'missed: {curve.missed}',
            )
        plot.set_xscale('log')
        plot.xaxis.set_major_locator(LogLocator(subs=subdivisions))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))
        plot.xaxis.set_minor_formatter(NullFormatter())
        percent_axis(plot, 'y')
        plot.set(xlabel='time since the true onset', ylabel='share of the true events')
        plot.set(xlim=(lowest, highest), ylim=(0, 1.03))
        explain(plot)

    return sheet(draw)


def _brief(value_s: float) -> str:
    return f'{value_s:g} s' if value_s >= 1 else f'{1000 * value_s:g} ms'


def operating_figure(curve: OperatingCurve, point: Point) -> str:
    """Events found against false alarms an hour, as the threshold varies."""
    shown = curve.useful
    rate = curve.false_alarms_per_hour[shown]
    one = 1 / curve.normal_hours  # the rate of a single false alarm

    def draw(plot: Axes) -> None:
        _found(plot, curve, rate, shown, marker='.')  # a dot a threshold: the rate may turn back
        asked = f'asked: {point.asked_per_hour:g} an hour'
        plot.axvline(point.asked_per_hour, color=INK, linestyle=':', label=asked)
        _mark(plot, point.false_alarms_per_hour, point.fresh)
        plot.set_xscale('symlog', linthresh=one, linscale=0.4)
        plot.set_xlim(-0.15 * one, 1.3 * max(float(rate.max()), point.asked_per_hour, one))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,g}'))
        plot.xaxis.set_minor_formatter(NullFormatter())
        percent_axis(plot, 'y')
        plot.set(xlabel='false alarms an hour', ylabel='share of the true events')
        plot.set_ylim(0, 1.03)
        explain(plot)

    return sheet(draw)


def threshold_figure(curve: OperatingCurve, point: Point) -> str:
    """What each threshold would have found, and how long it would have stood in alarm."""

    def draw(plot: Axes) -> None:
        _found(plot, curve, curve.thresholds, slice(None))
        normal = curve.normal_in_alarm
        plot.plot(curve.thresholds, normal, color=FALSE, linewidth=1.6, label='normal in alarm')
        carried = f'threshold {point.threshold:.2f}'
        plot.axvline(point.threshold, color=TRUTH, linestyle='--', linewidth=1, label=carried)
        percent_axis(plot, 'y')
        plot.set(xlabel='threshold, decades', ylabel='share', ylim=(0, 1.03))
        plot.set_xlim(float(curve.thresholds[0]), float(curve.thresholds[-1]))
        explain(plot)

    return sheet(draw)


def _found(
    plot: Axes, curve: OperatingCurve, places: Any, shown: slice, *, marker: str = ''
) -> None:
    """Events found, and beside them those that a standing alarm covered."""
    found, fresh = curve.found[shown] / curve.events, curve.fresh[shown] / curve.events
    if (found != fresh).any():
        label = 'standing alarms counted too'
        plot.plot(places, found, color=FAINT, linewidth=1.2, linestyle='--', label=label)
    width = 0.8 if marker else 1.6
    label = 'events found by a new alarm'
    plot.plot(places, fresh, color=FOUND, linewidth=width, marker=marker, label=label)
