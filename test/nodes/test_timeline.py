from __future__ import annotations

import pytest

from taolora_ros.nodes.timeline import Timeline

MS = 1_000_000


@pytest.mark.parametrize(('rate', 'due_ms'), [(1.0, 100), (2.0, 50), (0.5, 200)])
def test_messages_are_due_at_the_pace_of_the_recording_times_the_rate(
    rate: float, due_ms: int
) -> None:
    timeline = Timeline(rate)
    assert timeline.wait_ns(7_000 * MS, 40 * MS) == 0
    assert timeline.wait_ns(7_100 * MS, 40 * MS) == due_ms * MS


def test_a_late_message_does_not_delay_those_after_it() -> None:
    timeline = Timeline(1.0)
    timeline.wait_ns(0, 0)
    assert timeline.wait_ns(10 * MS, 15 * MS) == -5 * MS
    assert timeline.wait_ns(20 * MS, 15 * MS) == 5 * MS


def test_a_restart_makes_the_next_message_due_at_once() -> None:
    timeline = Timeline(1.0)
    timeline.wait_ns(0, 0)
    timeline.restart()
    assert timeline.wait_ns(50 * MS, 90 * MS) == 0
    assert timeline.wait_ns(51 * MS, 90 * MS) == 1 * MS


def test_stamps_since_the_epoch_keep_their_nanoseconds() -> None:
    timeline = Timeline(1.0)
    epoch_ns = 1_700_000_000_123_456_789
    timeline.wait_ns(epoch_ns, 0)
    assert timeline.wait_ns(epoch_ns + 1, 0) == 1
