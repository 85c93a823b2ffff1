"""Grids, breaks and gaps, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.datasets.series import breaks, close_gaps, grid_recording


def flags(text: str) -> np.ndarray:
    return np.array([letter == 'x' for letter in text])


def test_rows_have_the_stamps_of_a_grid_and_no_peaks() -> None:
    recording = grid_recording('run', np.ones((4, 2)), 3.0)
    assert recording.stamps_ns.tolist() == [0, 333_333_333, 666_666_667, 1_000_000_000]
    assert not recording.peaks.any()


def test_a_segment_starts_where_rows_were_cut_out() -> None:
    assert breaks(flags('xx.xxx..x')) == (0, 2, 5)
    assert breaks(flags('..xx')) == (0,)


@pytest.mark.parametrize(
    ('given', 'closed'), [('.x.x..x.', '.xxx..x.'), ('xx', 'xx'), ('...', '...'), ('x..x', 'x..x')]
)
def test_only_gaps_as_short_as_asked_are_closed(given: str, closed: str) -> None:
    assert close_gaps(flags(given), 1).tolist() == flags(closed).tolist()
