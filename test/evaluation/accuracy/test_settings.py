from __future__ import annotations

import pytest

from taolora_ros.evaluation.accuracy.settings import (
    FALSE_ALARMS_PER_HOUR,
    detector_config,
    token_rows,
    with_correction,
)


@pytest.mark.parametrize(
    ('rate_hz', 'rows'),
    [
        (0.0003, 1),  # a row is longer than a token should be
        (1.0, 1),
        (62.5, 2),  # 2.5 rows
        (100.0, 4),
        (175.0, 4),  # 7 rows don't divide 256
        (200.0, 8),
        (10_000.0, 32),  # the longest token
    ],
)
def test_a_token_spans_40_ms_where_the_rate_allows(rate_hz: float, rows: int) -> None:
    assert token_rows(rate_hz, 256) == rows


def test_all_detectors_are_asked_for_the_same_false_alarms() -> None:
    for rate_hz, warmup_s in ((1.0, 0.0), (62.5, 2.0), (100.0, 5.0)):
        config = detector_config(('/series:c0',), rate_hz, warmup_s=warmup_s)
        assert config.detection.false_alarms_per_hour == FALSE_ALARMS_PER_HOUR
        assert config.detection.warmup_s == warmup_s
        assert config.model.blocks == 0
        assert config.ingest.sample_rate_hz == rate_hz


def test_the_correction_changes_the_shape_alone() -> None:
    config = detector_config(('/series:c0',), 1.0, warmup_s=0.0)
    changed = with_correction(config)
    assert changed.model.blocks == 1
    assert (changed.window, changed.detection) == (config.window, config.detection)
