"""One picture a run: signals, score against threshold, and who said what when."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taolora_ros.evaluation.runs import RunResult
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S, Floats, Recording

INK, FAINT = '#1c2733', '#8a97a6'
TRUTH, FOUND, FALSE, FP16, SIGNAL = '#d1495b', '#2a7f62', '#e09f3e', '#5b5bd6', '#33658a'
STYLE = {
    'font.size': 9,
    'svg.fonttype': 'path',
    'svg.hashsalt': 'taolora',  # the same run draws the same file
    'axes.edgecolor': FAINT,
    'axes.labelcolor': INK,
    'xtick.color': INK,
    'ytick.color': INK,
    'axes.spines.top': False,
    'axes.spines.right': False,
}
COLUMNS = 900  # pairs of lowest and highest value that a curve is drawn with
SIGNALS = 6


def run_figure(run: RunResult, recording: Recording | None, channels: Sequence[str]) -> str:
    """The run as an SVG document.

    Args:
        run: what the run showed; it has at least one token.
        recording: its rows; the signals are left out without it.
        channels: C names.
    """
    trace = run.trace
    zero_ns = run.zero_ns
    shown = [] if recording is None else _telling(trace, SIGNALS)
    heights = ([0.42 * len(shown) + 0.3] if shown else []) + [1.7, 0.95]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, sum(heights) + 0.6), layout='constrained')
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
        *above, score, lanes = axes[:, 0]
        if recording is not None and above:
            _draw_signals(above[0], recording, shown, channels, zero_ns)
        _draw_score(score, trace, zero_ns)
        _draw_lanes(lanes, run, zero_ns)
        for plot in axes[:, 0]:
            for truth in run.truths or ():
                start, end = _seconds(truth.onset_ns, zero_ns), _seconds(truth.end_ns, zero_ns)
                plot.axvspan(start, end, color=TRUTH, alpha=0.10, linewidth=0)
        lanes.set_xlabel('time in s')
        start = _seconds(trace.start_ns, zero_ns)
        lanes.set_xlim(start, start + max(run.duration_s, 1e-3))
        buffer = io.StringIO()
        figure.savefig(buffer, format='svg', metadata={'Date': None})
    return buffer.getvalue()


def envelope(times: Floats, values: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Thin a curve to the lowest and the highest value of each column, so that no peak is lost.

    Args:
        times: [T]
        values: [T]
        columns: how many pairs stay; a shorter curve is left as it is.
    """
    if len(values) <= 2 * columns:
        return times, values
    edges = np.linspace(0, len(values), columns + 1).astype(np.int64)
    picks = []
    for begin, end in itertools.pairwise(edges.tolist()):
        cell = values[begin:end]
        picks += sorted({begin + int(np.argmin(cell)), begin + int(np.argmax(cell))})
    return times[picks], values[picks]


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


def _draw_score(plot: Axes, trace: Trace, zero_ns: int) -> None:
    times = (trace.last_ns - zero_ns) / NS_PER_S
    scores, limit = trace.scores, trace.thresholds
    plot.plot(*envelope(times, scores), color=INK, linewidth=0.8, label='score')
    plot.plot(times, limit, color=TRUTH, linewidth=1.0, linestyle='--', label='threshold')
    above = np.maximum(scores, limit)
    plot.fill_between(times, limit, above, color=TRUTH, alpha=0.25, linewidth=0, rasterized=True)
    plot.set_ylabel('−log₁₀ p')
    plot.set_ylim(bottom=0)
    plot.legend(
        loc='lower right',
        bbox_to_anchor=(1, 0.97),
        frameon=False,
        ncols=2,
        fontsize=8,
        borderpad=0,
    )


def _draw_lanes(plot: Axes, run: RunResult, zero_ns: int) -> None:
    trace = run.trace
    false = set() if run.matching is None else {id(hit) for hit in run.matching.false_alarms}
    spans: list[tuple[int, int, int, str]] = [
        (2, truth.onset_ns, truth.end_ns, TRUTH) for truth in run.truths or ()
    ]
    spans += [
        (1, hit.onset_ns, hit.end_ns + trace.period_ns, FALSE if id(hit) in false else FOUND)
        for hit in trace.detections
    ]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], trace.is_transient.astype(int), [0]))))
    spans += [
        (0, int(trace.first_ns[begin]), int(trace.last_ns[end - 1]) + trace.period_ns, FP16)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    least = run.duration_s / 500  # narrower bars would not be seen
    for lane, start_ns, end_ns, color in spans:
        start = _seconds(start_ns, zero_ns)
        width = max((end_ns - start_ns) / NS_PER_S, least)
        plot.barh(lane, width, left=start, height=0.55, color=color, linewidth=0)
    plot.set_yticks([0, 1, 2], ['FP16 path', 'detected', 'truth'])
    plot.tick_params(axis='y', length=0)
    plot.set_ylim(-0.5, 2.6)
    plot.spines['left'].set_visible(False)
