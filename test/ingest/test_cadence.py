from __future__ import annotations

import pytest

from taolora_ros.ingest.cadence import Cadence

MS = 1_000_000


def cadence(grid_ms: int = 10, lateness_ms: int = 50, stale_ms: int = 5000) -> Cadence:
    return Cadence(grid_ms * MS, lateness_ms * MS, stale_ms * MS)


def spoken(topic: Cadence, *stamps_ms: float) -> Cadence:
    for stamp in stamps_ms:
        topic.observe(round(stamp * MS))
    return topic


def test_the_rate_is_learned_from_stamps() -> None:
    topic = spoken(cadence(), 0, 20, 41, 60, 80)
    assert topic.period_ns == 20 * MS
    assert topic.rate_hz == pytest.approx(50.0)


def test_a_slow_topic_is_expected_only_when_it_is_due() -> None:
    topic = spoken(cadence(), *range(0, 10_001, 1000))
    assert not topic.expects(10_500 * MS)
    assert not topic.expects(10_990 * MS)
    assert topic.expects(11_010 * MS)


def test_a_topic_with_jitter_is_expected_earlier() -> None:
    topic = spoken(cadence(), 0, 1000, 1900, 3000, 4000, 5000)
    assert not topic.expects(5790 * MS)  # 2 · 900 − 1000 = 800 ms after its last
    assert topic.expects(5810 * MS)


def test_a_topic_as_fast_as_the_grid_is_expected_until_it_has_passed() -> None:
    topic = spoken(cadence(), *range(0, 101, 10))
    assert topic.expects(101 * MS)
    assert not topic.expects(100 * MS)


def test_a_topic_that_fell_silent_is_not_waited_for() -> None:
    topic = spoken(cadence(), *range(0, 101, 10))
    assert topic.expects(175 * MS)
    assert not topic.expects(185 * MS)  # three periods and the lateness


def test_a_topic_that_spoke_once_is_waited_for_until_it_is_stale() -> None:
    topic = spoken(cadence(), 0)
    assert topic.expects(4990 * MS)
    assert not topic.expects(5000 * MS)


def test_stamps_that_do_not_move_forward_teach_nothing() -> None:
    topic = spoken(cadence(), 0, 10, 20, 20, 15, 30, 40)
    assert topic.period_ns == 10 * MS
    assert topic.last_ns == 40 * MS
