"""What all pictures share: colors, style, thinned curves, and the SVG writer."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from taolora_ros.samples import Floats

INK, FAINT = '#1c2733', '#8a97a6'
TRUTH, FOUND, FALSE, FP16, SIGNAL = '#d1495b', '#2a7f62', '#e09f3e', '#5b5bd6', '#33658a'
TWIN = '#3d9bd4'  # what the FP32 twin says
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
    'hatch.linewidth': 0.8,
}
SHEET = (5.2, 3.7)  # inches; two such pictures stand side by side
COLUMNS = 900  # pairs of lowest and highest value that a curve is drawn with


def svg(figure: Figure) -> str:
    """The figure as an SVG document; drawn within the style, as the figure was made."""
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', dpi=144, metadata={'Date': None})
    return buffer.getvalue()


def sheet(draw: Callable[[Axes], None]) -> str:
    """A picture of one pair of axes with a light grid, as an SVG document.

    Args:
        draw: fills the axes.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SHEET, layout='constrained')
        plot = figure.subplots()
        plot.grid(color=FAINT, alpha=0.2, linewidth=0.6)
        plot.set_axisbelow(True)
        draw(plot)
        return svg(figure)


def percent_axis(plot: Axes, *which: str) -> None:
    """Write the shares of 0 to 1 on the axes `x` or `y` in percent."""
    for name in which:
        getattr(plot, f'{name}axis').set_major_formatter(PercentFormatter(1.0, symbol=' %'))


def explain(plot: Axes) -> None:
    """The legend, above the axes, where it hides nothing."""
    above = {'loc': 'lower left', 'bbox_to_anchor': (0, 1.01), 'borderaxespad': 0}
    plot.legend(ncols=2, fontsize=8, frameon=False, columnspacing=1.6, **above)


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
