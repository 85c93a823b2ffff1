from __future__ import annotations

from taolora_ros.nodes.receipt import SimulatedReceipt


def _ticking() -> SimulatedReceipt:
    receipt = SimulatedReceipt()
    for arrival_ns, time_ns in ((100, 5_000), (200, 6_000), (300, 7_000)):
        receipt.add(arrival_ns, time_ns)
    return receipt


def test_nothing_can_be_dated_before_the_first_clock() -> None:
    assert SimulatedReceipt().at(100) is None
    assert _ticking().at(99) is None


def test_a_message_has_the_time_of_the_clock_before_it() -> None:
    receipt = _ticking()
    assert [receipt.at(arrival_ns) for arrival_ns in (100, 199, 200, 999)] == [
        5_000,
        5_000,
        6_000,
        7_000,
    ]


def test_forgetting_keeps_what_later_arrivals_need() -> None:
    receipt = _ticking()
    receipt.forget(250)
    assert receipt.at(250) == 6_000
    assert receipt.at(300) == 7_000
    receipt.forget(10_000)
    assert receipt.at(10_000) == 7_000


def test_time_may_jump_back() -> None:
    receipt = _ticking()
    receipt.add(400, 5_000)
    assert receipt.at(450) == 5_000
