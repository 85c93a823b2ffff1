"""One picture a run: signals, score against threshold, and who said what when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taolora_ros.evaluation.canvas import (
    FALSE,
    FOUND,
    FP16,
    INK,
    SIGNAL,
    STYLE,
    TRUTH,
    TWIN,
    envelope,
    svg,
)
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S, Recording

SIGNALS = 6
SHARE_COLUMNS = 200  # stretches of time over which the share of routed tokens is drawn


def run_figure(
    run: RunResult,
    recording: Recording | None,
    channels: Sequence[str],
    *,
    twin: Trace | None = None,
) -> str:
    """The run as an SVG document.

    Args:
        run: what the run showed; it has at least one token.
        recording: its rows; the signals are left out without it.
        channels: C names.
        twin: the same hops with the scores of the FP32 twin, drawn behind those at 4 bits.
    """
    trace = run.trace
    zero_ns = run.zero_ns
    shown = [] if recording is None else _telling(trace, SIGNALS)
    heights = ([0.42 * len(shown) + 0.3] if shown else []) + [1.7, 0.95, 0.55]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, sum(heights) + 0.6), layout='constrained')
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
        *above, score, lanes, routed = axes[:, 0]
        if recording is not None and above:
            _draw_signals(above[0], recording, shown, channels, zero_ns)
        _draw_score(score, trace, twin, zero_ns)
        _draw_lanes(lanes, run, zero_ns)
        _draw_routed(routed, trace, zero_ns)
        for plot in axes[:, 0]:
            for truth in run.truths or ():
                start, end = _seconds(truth.onset_ns, zero_ns), _seconds(truth.end_ns, zero_ns)
                plot.axvspan(start, end, color=TRUTH, alpha=0.10, linewidth=0)
        routed.set_xlabel('time in s')
        start = _seconds(trace.start_ns, zero_ns)
        routed.set_xlim(start, start + max(run.duration_s, 1e-3))
        return svg(figure)


def _seconds(stamp_ns: int, zero_ns: int) -> float:
    return (stamp_ns - zero_ns) / NS_PER_S


def _telling(trace: Trace, count: int) -> list[int]:
    """The channels that contribute most to the detections, else to the highest scores."""
    if trace.detections:
        weight = np.sum([hit.contributions for hit in trace.detections], axis=0)
    else:
        weight = trace.contributions[np.argsort(-trace.scores)[:10]].sum(axis=0)
    return sorted(np.argsort(-weight, kind='stable')[:count].tolist())


def _draw_signals(
    plot: Axes, recording: Recording, shown: Sequence[int], channels: Sequence[str], zero_ns: int
) -> None:
    times = (recording.stamps_ns - zero_ns) / NS_PER_S
    for lane, channel in enumerate(reversed(shown)):
        values = recording.values[:, channel] + recording.peaks[:, channel]
        low, high = np.quantile(values, (0.005, 0.995))
        middle, half = (low + high) / 2, max((high - low) / 2, 1e-12)
        level = np.clip((values - middle) / half, -2.2, 2.2) * 0.30 + lane
        plot.plot(*envelope(times, level), color=SIGNAL, linewidth=0.7)
    plot.set_yticks(range(len(shown)), [_short(channels[c]) for c in reversed(shown)])
    plot.tick_params(axis='y', length=0)
    plot.set_ylim(-0.6, len(shown) - 0.4)
    plot.spines['left'].set_visible(False)


def _short(channel: str) -> str:
    return channel if len(channel) <= 40 else '…' + channel[-39:]


def _draw_score(plot: Axes, trace: Trace, twin: Trace | None, zero_ns: int) -> None:
    times = (trace.last_ns - zero_ns) / NS_PER_S
    scores, limit = trace.scores, trace.thresholds
    if twin is not None:
        curve = envelope(times, twin.scores)
        plot.plot(*curve, color=TWIN, linewidth=0.8, label='score of the FP32 twin')
    plot.plot(*envelope(times, scores), color=INK, linewidth=0.8, label='score')
    plot.plot(times, limit, color=TRUTH, linewidth=1.0, linestyle='--', label='threshold')
    above = np.maximum(scores, limit)
    plot.fill_between(times, limit, above, color=TRUTH, alpha=0.25, linewidth=0, rasterized=True)
    plot.set_ylabel('score, decades')
    plot.set_ylim(bottom=0)
    plot.legend(
        loc='lower right',
        bbox_to_anchor=(1, 0.97),
        frameon=False,
        ncols=3,
        fontsize=8,
        borderpad=0,
    )


@dataclass(frozen=True, slots=True)
class _Bar:
    lane: int
    start_ns: int
    end_ns: int
    color: str
    is_hollow: bool = False


def _draw_lanes(plot: Axes, run: RunResult, zero_ns: int) -> None:
    least = run.duration_s / 500  # narrower bars would not be seen
    for bar in _bars(run):
        plot.barh(
            bar.lane,
            max((bar.end_ns - bar.start_ns) / NS_PER_S, least),
            left=_seconds(bar.start_ns, zero_ns),
            height=0.55,
            facecolor='none' if bar.is_hollow else bar.color,
            edgecolor=bar.color,
            hatch='////' if bar.is_hollow else None,
            linewidth=1.0 if bar.is_hollow else 0,
        )
    lanes = ['FP16 path', 'detected'] if run.truths is None else ['FP16 path', 'detected', 'truth']
    plot.set_yticks(range(len(lanes)), lanes)
    plot.tick_params(axis='y', length=0)
    plot.set_ylim(-0.5, len(lanes) - 0.4)
    plot.spines['left'].set_visible(False)


def _bars(run: RunResult) -> list[_Bar]:
    """True events, hollow where missed; detections; stretches of tokens on the FP16 path."""
    trace = run.trace
    matches = run.matching.matches if run.matching else ()
    false = {id(hit) for hit in run.matching.false_alarms} if run.matching else set()
    bars = [
        _Bar(2, match.truth.onset_ns, match.truth.end_ns, TRUTH, is_hollow=not match.is_found)
        for match in matches
    ]
    bars += [
        _Bar(1, hit.onset_ns, hit.end_ns + trace.period_ns, FALSE if id(hit) in false else FOUND)
        for hit in trace.detections
    ]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], trace.is_transient.astype(int), [0]))))
    bars += [
        _Bar(0, int(trace.first_ns[begin]), int(trace.last_ns[end - 1]) + trace.period_ns, FP16)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return bars


def _draw_routed(plot: Axes, trace: Trace, zero_ns: int) -> None:
    """Share of the tokens on the FP16 path, in stretches of equal numbers of tokens."""
    tokens = len(trace.first_ns)
    edges = np.linspace(0, tokens, min(SHARE_COLUMNS, tokens) + 1).astype(np.int64)
    shares = np.add.reduceat(trace.is_transient.astype(float), edges[:-1]) / np.diff(edges)
    ends_ns = np.append(trace.first_ns, trace.last_ns[-1] + trace.period_ns)[edges]
    plot.stairs(100 * shares, (ends_ns - zero_ns) / NS_PER_S, fill=True, color=FP16, alpha=0.55)
    plot.set_ylim(0, 105)
    plot.set_yticks([0, 50, 100], ['0 %', '50 %', '100 %'])
    plot.set_ylabel('FP16 share')
