from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from matplotlib.axes import Axes

from taolora_ros.evaluation.canvas import envelope, percent_axis, sheet


def test_thinned_curve_keeps_its_extremes() -> None:
    values = np.zeros(10_000)
    values[1234], values[4321] = 5.0, -7.0
    times, thin = envelope(np.arange(10_000.0), values, columns=50)
    assert len(thin) <= 100
    assert (thin.max(), thin.min()) == (5.0, -7.0)
    assert times[np.argmax(thin)] == 1234


def test_short_curve_is_drawn_as_it_is() -> None:
    values = np.arange(10.0)
    times, thin = envelope(values, values, columns=5)
    assert thin is values
    assert times is values


def test_sheet_is_one_svg_document_and_the_same_every_time() -> None:
    def draw(plot: Axes) -> None:
        plot.plot([0, 1], [0, 1])
        percent_axis(plot, 'x', 'y')

    first = sheet(draw)
    assert ElementTree.fromstring(first).tag.endswith('svg')
    assert sheet(draw) == first
