from __future__ import annotations

import numpy as np

from taolora_ros.signals.inputs import LIMIT, fit_input_layout
from taolora_ros.signals.session import SessionPrior


def _prior() -> SessionPrior:
    return SessionPrior(np.array([1.0, 0.0]), np.array([2.0, 1.0]), np.ones(2), np.ones(2))


def test_only_oversampled_channels_have_a_peak_input() -> None:
    peaks = np.zeros((100, 2))
    peaks[:, 1] = np.tile([3.0, -3.0], 50)
    layout = fit_input_layout(peaks, np.ones(2))
    assert layout.peak_channels.tolist() == [1]
    assert layout.peak_scale.tolist() == [3.0]


def test_inputs_are_rebased_channels_then_scaled_peaks() -> None:
    layout = fit_input_layout(np.array([[0.0, 4.0], [0.0, -4.0]]), np.ones(2))
    rows = layout.inputs(
        _prior(), np.array([1.0, 0.0]), np.array([[5.0, 7.0]]), np.array([[9.0, 8.0]])
    )
    # (5 - 1) / 2, (7 - 0) / 1 and 8 / 4; the first channel has no peak input.
    assert rows.tolist() == [[2.0, 7.0, 2.0]]


def test_an_absurd_sample_is_cut_to_the_limit() -> None:
    layout = fit_input_layout(np.zeros((2, 2)), np.ones(2))
    rows = layout.inputs(_prior(), np.zeros(2), np.array([[1e30, -1e30]]), np.zeros((1, 2)))
    assert rows.tolist() == [[LIMIT, -LIMIT]]


def test_what_is_not_a_number_stays_so_and_stays_alone() -> None:
    layout = fit_input_layout(np.array([[0.0, 4.0], [0.0, -4.0]]), np.ones(2))
    rows = layout.inputs(
        _prior(), np.zeros(2), np.array([[np.nan, -np.inf], [0.0, 1.0]]), np.zeros((2, 2))
    )
    np.testing.assert_array_equal(rows, [[np.nan, -LIMIT, 0.0], [0.0, 1.0, 0.0]])


def test_rows_may_be_read_only_and_spaced_out() -> None:
    layout = fit_input_layout(np.zeros((2, 2)), np.ones(2))
    spaced = np.arange(12.0).reshape(2, 2, 3)[:, :, 0]
    spaced.flags.writeable = False
    rows = layout.inputs(_prior(), np.zeros(2), spaced, spaced)
    assert rows.tolist() == [[0.0, 3.0], [3.0, 9.0]]


def test_shares_fold_back_to_channels_and_keep_their_sum() -> None:
    layout = fit_input_layout(np.array([[0.0, 4.0], [0.0, -4.0]]), np.ones(2))
    assert layout.fold(np.array([0.5, 0.2, 0.3])).tolist() == [0.5, 0.5]
