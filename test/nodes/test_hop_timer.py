"""When the subscriptions are drained; hops of 80 ms unless a test says otherwise."""

from __future__ import annotations

import pytest

from taolora_ros.nodes import hop_timer
from taolora_ros.nodes.hop_timer import Batch, HopSchedule, Wait

MS = 1_000_000
HOP = 80 * MS
EARLY = 2 * MS  # before a hop is due
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
        now_ns = NOW + 10 * step * MS
        assert schedule.wait(nothing(most=1), now_ns, now_ns) == Wait(10 * MS)


def test_the_next_drain_comes_shortly_before_a_hop_after_the_last_one_was_complete(
    schedule: HopSchedule,
) -> None:
    assert schedule.wait(hop(NOW - 3 * MS), NOW, NOW) == Wait(HOP - 3 * MS - EARLY)


def test_what_is_left_until_a_hop_is_due_is_waited_for_in_place(schedule: HopSchedule) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    early_ns = NOW + HOP - EARLY
    wait = schedule.wait(nothing(most=7), early_ns, early_ns + MS)  # that drain took 1 ms
    assert wait == Wait(1 * MS, is_in_place=True)


def test_a_hop_that_is_late_is_looked_for_in_place_a_quarter_of_the_time(
    schedule: HopSchedule,
) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    due_ns = NOW + HOP
    assert schedule.wait(nothing(), due_ns, due_ns + MS // 5) == Wait(3 * MS // 5, True)
    assert schedule.wait(nothing(), due_ns + MS, due_ns + MS) == Wait(MS // 10, True)


def test_a_hop_that_is_later_still_is_looked_for_each_millisecond_then_polled_for(
    schedule: HopSchedule,
) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    now_ns = NOW + HOP + 2 * MS
    waits = []
    for _ in range(10):
        waits.append(schedule.wait(nothing(), now_ns, now_ns))
        now_ns += waits[-1].ns
    assert waits == [Wait(1 * MS)] * 8 + [Wait(10 * MS)] * 2


def test_a_late_hop_is_where_the_next_is_counted_from(schedule: HopSchedule) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    late_ns = NOW + HOP + 5 * MS
    schedule.wait(nothing(), late_ns, late_ns)
    now_ns = late_ns + 2 * MS
    wait = schedule.wait(hop(late_ns + MS), now_ns, now_ns)
    assert now_ns + wait.ns == late_ns + MS + HOP - EARLY


def test_hops_that_have_passed_meanwhile_are_not_waited_for(schedule: HopSchedule) -> None:
    assert schedule.wait(hop(NOW - 3 * HOP - 10 * MS), NOW, NOW) == Wait(70 * MS - EARLY)


def test_hops_shorter_than_the_poll_are_not_foreseen(schedule: HopSchedule) -> None:
    assert schedule.wait(hop(NOW, hop_ns=8 * MS), NOW, NOW) == Wait(10 * MS)


def test_long_hops_leave_no_longer_than_a_tenth_of_a_second(schedule: HopSchedule) -> None:
    assert schedule.wait(hop(NOW, hop_ns=3_000 * MS), NOW, NOW) == Wait(100 * MS)
    assert schedule.wait(nothing(), NOW + 100 * MS, NOW + 100 * MS) == Wait(100 * MS)


def test_a_queue_is_drained_before_a_quarter_of_it_is_full(schedule: HopSchedule) -> None:
    schedule.wait(hop(NOW, most=50), NOW, NOW)
    # 50 messages in 10 ms are 5,000 a second: 250 of the 1,000 come in 50 ms
    later_ns = NOW + 10 * MS
    assert schedule.wait(hop(later_ns, most=50), later_ns, later_ns) == Wait(50 * MS)


def test_a_clock_that_jumps_back_stops_nothing(schedule: HopSchedule) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    back_ns = NOW - 3_600_000 * MS
    assert schedule.wait(nothing(most=8), back_ns, back_ns) == Wait(100 * MS)
    assert schedule.wait(hop(back_ns, most=8), back_ns, back_ns) == Wait(HOP - EARLY)


def test_a_clock_that_jumps_ahead_counts_hops_anew(schedule: HopSchedule) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    ahead_ns = NOW + 3_600_000 * MS
    assert schedule.wait(nothing(most=8), ahead_ns, ahead_ns) == Wait(1 * MS)
    assert schedule.wait(hop(ahead_ns, most=8), ahead_ns, ahead_ns) == Wait(HOP - EARLY)


def test_a_clock_that_jumps_during_a_drain_is_not_waited_for_in_place(
    schedule: HopSchedule,
) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    due_ns = NOW + HOP
    wait = schedule.wait(nothing(), due_ns - 3_600_000 * MS, due_ns)
    assert wait.ns <= 2 * MS


def test_a_slow_poll_holds_where_nothing_is_foreseen() -> None:
    schedule = HopSchedule(poll_s=0.5, queue=1_000)
    assert schedule.wait(nothing(), NOW, NOW) == Wait(500 * MS)


class Messages:
    """A clock that only sleeping moves, and a hop that is complete at a time."""

    def __init__(self, complete_ns: int) -> None:
        self.now_ns = NOW
        self.drained_at: list[int] = []
        self._complete_ns: int | None = complete_ns

    def time_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def drain(self) -> Batch:
        self.drained_at.append(self.now_ns)
        complete_ns = self._complete_ns
        if complete_ns is None or self.now_ns < complete_ns:
            return nothing()
        self._complete_ns = None
        return hop(complete_ns)


def test_a_hop_is_drained_within_a_tenth_of_a_millisecond_of_its_last_message(
    schedule: HopSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    messages = Messages(complete_ns=NOW + HOP + 340_000)
    messages.now_ns = NOW + HOP - EARLY
    monkeypatch.setattr(hop_timer, 'time', messages)
    wait_ns = schedule.keep_up(messages.drain)
    assert messages.drained_at[:2] == [NOW + HOP - EARLY, NOW + HOP]
    assert messages.now_ns == NOW + HOP + 400_000
    assert messages.now_ns + wait_ns == NOW + 2 * HOP + 340_000 - EARLY


def test_a_hop_that_stays_out_hands_the_thread_back_after_two_milliseconds(
    schedule: HopSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule.wait(hop(NOW), NOW, NOW)
    messages = Messages(complete_ns=NOW + 1_000 * HOP)
    messages.now_ns = NOW + HOP - EARLY
    monkeypatch.setattr(hop_timer, 'time', messages)
    assert schedule.keep_up(messages.drain) == 1 * MS
    assert messages.now_ns == NOW + HOP + 2 * MS
    assert len(messages.drained_at) == 22  # early, due, and each tenth of a millisecond


def test_a_short_queue_is_not_left_to_fill_in_place() -> None:
    schedule = HopSchedule(poll_s=0.01, queue=16)
    schedule.wait(hop(NOW), NOW, NOW)
    early_ns = NOW + HOP - EARLY
    # 312 messages in 78 ms are 4 a millisecond: a quarter of the 16 come in one
    wait = schedule.wait(nothing(most=312), early_ns, early_ns)
    assert wait == Wait(1 * MS, is_in_place=True)
