"""When the subscriptions are drained; hops of 80 ms unless a test says otherwise."""

from __future__ import annotations

import pytest

from taolora_ros.nodes.hop_timer import Batch, HopSchedule

MS = 1_000_000
HOP = 80 * MS
NOW = 1_800_000_000_000 * MS  # some time of this century


@pytest.fixture
def schedule() -> HopSchedule:
    return HopSchedule(poll_s=0.01, queue=1_000)


def hop(completed_ns: int, *, hop_ns: int = HOP, most: int = 8) -> Batch:
    return Batch(hop_ns, completed_ns, most)


def nothing(*, most: int = 0) -> Batch:
    return Batch(HOP, None, most)


def test_subscriptions_are_polled_until_the_first_hop(schedule: HopSchedule) -> None:
    for step in range(5):
        assert schedule.wait_ns(nothing(most=1), NOW + 10 * step * MS) == 10 * MS


def test_the_next_drain_comes_a_hop_after_the_last_one_was_complete(schedule: HopSchedule) -> None:
    wait_ns = schedule.wait_ns(hop(NOW - 3 * MS), NOW)
    assert 77 * MS < wait_ns <= 78 * MS  # 80 ms after that arrival, and what arrival varies


def test_a_hop_that_is_late_is_looked_for_each_millisecond_then_polled_for(
    schedule: HopSchedule,
) -> None:
    now_ns = NOW + schedule.wait_ns(hop(NOW), NOW)
    waits = []
    for _ in range(12):
        waits.append(schedule.wait_ns(nothing(), now_ns))
        now_ns += waits[-1]
    assert waits == [1 * MS] * 10 + [10 * MS] * 2


def test_a_late_hop_is_where_the_next_is_counted_from(schedule: HopSchedule) -> None:
    now_ns = NOW + schedule.wait_ns(hop(NOW), NOW)
    now_ns += schedule.wait_ns(nothing(), now_ns)
    arrival_ns = now_ns + 1 * MS
    now_ns += schedule.wait_ns(nothing(), now_ns)
    wait_ns = schedule.wait_ns(hop(arrival_ns), now_ns)
    assert arrival_ns + HOP < now_ns + wait_ns <= arrival_ns + HOP + MS


def test_hops_that_have_passed_meanwhile_are_not_waited_for(schedule: HopSchedule) -> None:
    wait_ns = schedule.wait_ns(hop(NOW - 3 * HOP - 10 * MS), NOW)
    assert 70 * MS < wait_ns <= 71 * MS


def test_hops_shorter_than_the_poll_are_not_foreseen(schedule: HopSchedule) -> None:
    assert schedule.wait_ns(hop(NOW, hop_ns=8 * MS), NOW) == 10 * MS


def test_long_hops_leave_no_longer_than_a_tenth_of_a_second(schedule: HopSchedule) -> None:
    assert schedule.wait_ns(hop(NOW, hop_ns=3_000 * MS), NOW) == 100 * MS
    assert schedule.wait_ns(nothing(), NOW + 100 * MS) == 100 * MS


def test_a_queue_is_drained_before_a_quarter_of_it_is_full(schedule: HopSchedule) -> None:
    schedule.wait_ns(hop(NOW, most=50), NOW)
    # 50 messages in 10 ms are 5,000 a second: 250 of the 1,000 come in 50 ms
    wait_ns = schedule.wait_ns(hop(NOW + 10 * MS, most=50), NOW + 10 * MS)
    assert wait_ns == 50 * MS


def test_a_clock_that_jumps_back_stops_nothing(schedule: HopSchedule) -> None:
    schedule.wait_ns(hop(NOW), NOW)
    back_ns = NOW - 3_600_000 * MS
    assert schedule.wait_ns(nothing(most=8), back_ns) == 100 * MS
    assert 79 * MS < schedule.wait_ns(hop(back_ns, most=8), back_ns) <= 81 * MS


def test_a_clock_that_jumps_ahead_counts_hops_anew(schedule: HopSchedule) -> None:
    schedule.wait_ns(hop(NOW), NOW)
    ahead_ns = NOW + 3_600_000 * MS
    assert schedule.wait_ns(nothing(most=8), ahead_ns) == 1 * MS
    assert 79 * MS < schedule.wait_ns(hop(ahead_ns, most=8), ahead_ns) <= 81 * MS


def test_a_slow_poll_holds_where_nothing_is_foreseen() -> None:
    schedule = HopSchedule(poll_s=0.5, queue=1_000)
    assert schedule.wait_ns(nothing(), NOW) == 500 * MS
