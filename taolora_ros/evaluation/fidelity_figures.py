"""Pictures of what 4 bits changed: scores of both precisions, and how far they differ."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from taolora_ros.evaluation.canvas import (
    FAINT,
    FALSE,
    FOUND,
    INK,
    SIGNAL,
    TRUTH,
    envelope,
    explain,
    percent_axis,
    sheet,
)
from taolora_ros.evaluation.fidelity import ScorePairs


def scatter_figure(pairs: ScorePairs, threshold: float) -> str:
    """Each hop's score at 4 bits against that of the FP32 twin.

    Args:
        pairs: one hop at least.
        threshold: score that alarms, the same for both.
    """
    either, both = pairs.in_alarm | pairs.twin_in_alarm, pairs.in_alarm & pairs.twin_in_alarm
    groups = (
        ('quiet at both', ~either, SIGNAL, 0.25),
        ('in alarm at both', both, FOUND, 0.6),
        ('in alarm at 4 bits alone', pairs.in_alarm & ~both, FALSE, 0.9),
        ('in alarm at FP32 alone', pairs.twin_in_alarm & ~both, TRUTH, 0.9),
    )
    highest = 1.05 * max(float(pairs.scores.max()), float(pairs.twin.max()), threshold)

    def draw(plot: Axes) -> None:
        plot.plot([0, highest], [0, highest], color=FAINT, linewidth=0.8)
        plot.axhline(threshold, color=TRUTH, linestyle='--', linewidth=1)
        plot.axvline(threshold, color=TRUTH, linestyle='--', linewidth=1)
        for name, members, color, alpha in groups:
            # Thousands of hops as one bitmap; the legend needs an opaque dot of the same color.
            x, y = pairs.twin[members], pairs.scores[members]
            plot.scatter(x, y, s=7, color=color, alpha=alpha, linewidths=0, rasterized=True)
            label = f'{name}: {len(x):,}'
            plot.scatter([], [], s=24, color=color, linewidths=0, label=label)
        plot.set(xlabel='score of the FP32 twin, decades', ylabel='score at 4 bits, decades')
        plot.set(xlim=(0, highest), ylim=(0, highest))
        explain(plot)

    return sheet(draw)


def difference_figure(pairs: ScorePairs) -> str:
    """Share of the hops whose two scores differ by no more than so many decades.

    Args:
        pairs: one hop at least.
    """
    difference = np.sort(np.abs(pairs.scores - pairs.twin))
    shares = np.arange(1, len(difference) + 1) / len(difference)
    p95 = float(np.quantile(difference, 0.95))

    def draw(plot: Axes) -> None:
        plot.plot(*envelope(difference, shares, columns=300), color=SIGNAL, linewidth=1.6)
        plot.axvline(p95, color=INK, linestyle=':', label=f'95 % within {p95:.2f} decades')
        percent_axis(plot, 'y')
        plot.set(xlabel='difference of the two scores in decades', ylabel='share of the hops')
        plot.set(xlim=(0, max(1.05 * float(difference[-1]), 1e-3)), ylim=(0, 1.03))
        explain(plot)

    return sheet(draw)
