from __future__ import annotations

import pytest

from taolora_ros.config import StampSource
from taolora_ros.ingest.stamps import StampChooser

S = 1_000_000_000
NOW = 1_700_000_000 * S


def chooser(policy: StampSource = StampSource.AUTO) -> StampChooser:
    return StampChooser(policy, max_skew_ns=5 * S)


def test_a_sane_header_dates_its_message() -> None:
    stamps = chooser()
    assert stamps.date(NOW - S, NOW) == NOW - S
    assert (stamps.source, stamps.reason) == (StampSource.HEADER, 'header clock is sane')


def test_a_message_without_header_is_dated_by_receipt() -> None:
    stamps = chooser()
    assert stamps.date(None, NOW) == NOW
    assert (stamps.source, stamps.reason) == (StampSource.RECEIPT, 'no header')


def test_zero_stamps_turn_a_topic_to_receipt_and_say_so() -> None:
    stamps = chooser()
    assert [stamps.date(0, NOW + n) for n in range(5)] == [NOW + n for n in range(5)]
    assert (stamps.source, stamps.zero) == (StampSource.RECEIPT, 5)
    assert stamps.reason == 'header stamps are 0'


def test_a_clock_days_off_turns_a_topic_to_receipt_and_says_so() -> None:
    stamps = chooser()
    dates = [stamps.date(NOW + n - 515_220 * S, NOW + n) for n in range(5)]
    assert dates == [NOW + n for n in range(5)]
    assert stamps.skewed == 5
    assert stamps.reason == 'header clock is -515220 s off receipt'


def test_one_bad_stamp_is_replaced_and_forgiven() -> None:
    stamps = chooser()
    for n in range(200):
        header = 0 if n % 50 == 25 else NOW + n * S
        assert stamps.date(header, NOW + n * S + 7) == NOW + n * S + (7 if n % 50 == 25 else 0)
    assert (stamps.source, stamps.zero) == (StampSource.HEADER, 4)


def test_a_flapping_header_clock_does_not_make_the_choice_flap() -> None:
    stamps = chooser()
    dates = [stamps.date(NOW if n % 2 else 0, NOW + 1) for n in range(60)]
    turned = next(n for n in range(60) if set(dates[n:]) == {NOW + 1})
    assert turned < 12
    assert stamps.source is StampSource.RECEIPT


def test_the_header_is_believed_whatever_its_clock_where_asked() -> None:
    stamps = chooser(StampSource.HEADER)
    assert stamps.date(5, NOW) == 5
    assert stamps.date(0, NOW) == NOW
    assert (stamps.source, stamps.skewed, stamps.zero) == (StampSource.HEADER, 1, 1)


def test_receipt_is_used_where_asked() -> None:
    stamps = chooser(StampSource.RECEIPT)
    assert stamps.date(NOW - S, NOW) == NOW
    assert (stamps.source, stamps.reason) == (StampSource.RECEIPT, 'as configured')


@pytest.mark.parametrize('receive_ns', [0, -1])
def test_simulated_time_that_has_not_begun_accuses_no_header(receive_ns: int) -> None:
    stamps = chooser()
    for _ in range(10):
        assert stamps.date(NOW, receive_ns) == NOW
    assert stamps.skewed == 0
