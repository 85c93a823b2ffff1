from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taolora_ros.config import Fill, IngestConfig
from taolora_ros.ingest.grid import Grid
from taolora_ros.samples import Gap, Row

MS = 1_000_000
S = 1000 * MS
START = 1_700_000_000 * S
NAN = float('nan')

Sample = tuple[int, int, tuple[float, ...]]  # topic, stamp in ns, values


def grid(columns: Sequence[Sequence[int]] = ((0,),), **settings: object) -> Grid:
    return Grid(columns, IngestConfig(**{'sample_rate_hz': 100.0, **settings}))  # type: ignore[arg-type]


def run(grid: Grid, samples: Iterable[Sample]) -> list[Row | Gap]:
    items: list[Row | Gap] = []
    for sample in samples:
        items += grid.push(*sample)
    return items + grid.flush()


def rows_of(items: Iterable[Row | Gap]) -> list[Row]:
    return [item for item in items if isinstance(item, Row)]


def at(stamp_ms: float, *values: float, topic: int = 0) -> Sample:
    return topic, START + round(stamp_ms * MS), values


def same(left: Iterable[Row | Gap], right: Iterable[Row | Gap]) -> bool:
    def key(item: Row | Gap) -> tuple[object, ...]:
        if isinstance(item, Gap):
            return (item.start_ns, item.end_ns)
        return (item.stamp_ns, item.values.tobytes(), item.peaks.tobytes(), item.fresh.tobytes())

    return [key(item) for item in left] == [key(item) for item in right]


def test_cells_lie_on_the_absolute_clock() -> None:
    rows = rows_of(run(grid(), [at(3, 1.0), at(12, 2.0), at(29.999999, 3.0)]))
    assert [row.stamp_ns - START for row in rows] == [0, 10 * MS, 20 * MS]
    assert [row.values[0] for row in rows] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize('rate_hz', [62.5, 30.0, 0.7, 333.3])
def test_cells_do_not_drift_at_any_rate(rate_hz: float) -> None:
    step = S / rate_hz
    samples = [(0, START + round((n + 0.5) * step), (float(n),)) for n in range(500)]
    rows = rows_of(run(grid(sample_rate_hz=rate_hz, max_gap_s=10.0), samples))
    assert np.ptp(np.diff([row.stamp_ns for row in rows])) <= 1
    assert len(rows) == pytest.approx(500, abs=1)


def test_a_cell_is_the_mean_with_the_farthest_sample_beside_it() -> None:
    (row,) = rows_of(run(grid(), [at(1, 1.0), at(2, 1.0), at(3, -5.0), at(4, 1.0)]))
    assert row.values[0] == -0.5
    assert row.peaks[0] == -4.5
    assert row.fresh[0]


def test_empty_cells_hold_the_last_sample() -> None:
    rows = rows_of(run(grid(), [at(1, 1.0), at(5, 3.0), at(35, 7.0)]))
    assert [row.values[0] for row in rows] == [2.0, 3.0, 3.0, 7.0]
    assert [bool(row.fresh[0]) for row in rows] == [True, False, False, True]


def test_empty_cells_lie_on_the_line_where_asked() -> None:
    samples = [at(5, 0.0), at(45, 40.0), at(55, 50.0)]
    rows = rows_of(run(grid(fill=Fill.LINEAR), samples))
    assert [row.values[0] for row in rows] == pytest.approx([0, 10, 20, 30, 40, 50])
    assert [bool(row.fresh[0]) for row in rows] == [True, False, False, False, True, True]


def test_linear_fill_holds_what_comes_later_than_rows_can_wait() -> None:
    fast = [at(n * 10 + 5, float(n)) for n in range(50)]
    slow = [at(n * 200 + 5, 100.0 * n, topic=1) for n in range(3)]
    samples = sorted(fast + slow, key=lambda sample: sample[1])
    rows = rows_of(run(grid(((0,), (1,)), fill=Fill.LINEAR), samples))
    assert len(rows) == 50
    assert rows[10].values[1] == 0.0
    assert rows[15].values[1] == pytest.approx(75.0)  # its next sample is within lateness_s


def test_rows_start_when_every_channel_has_spoken() -> None:
    watched = grid(((0,), (1, 2)))
    fast = [at(n * 10 + 5, float(n)) for n in range(10)]
    assert watched.silent == (0, 1, 2)
    items = run(watched, [*fast[:7], at(66, 1.0, NAN, topic=1)])
    assert rows_of(items) == []
    assert watched.silent == (2,)
    items = run(watched, [*fast[7:], at(96, 1.0, 2.0, topic=1)])
    assert [row.stamp_ns - START for row in rows_of(items)] == [90 * MS]
    assert watched.silent == ()


def test_a_slow_topic_does_not_delay_rows() -> None:
    watched = grid(((0,), (1,)), sample_rate_hz=62.5)
    imu = [(0, START + n * 16 * MS, (float(n),)) for n in range(1000)]
    temperature = [(1, START + n * S, (20.0,)) for n in range(16)]
    newest, delays = START, []
    for sample in sorted(imu + temperature, key=lambda sample: (sample[1], -sample[0])):
        newest = max(newest, sample[1])
        for row in watched.push(*sample):
            assert isinstance(row, Row)
            delays.append((newest - row.stamp_ns) / MS)
    assert max(delays[400:]) == 16.0  # one period: a row leaves as its successor begins
    assert max(delays) <= 16.0 + 50.0 + 16.0


def test_a_silent_topic_delays_rows_no_longer_than_the_lateness() -> None:
    watched = grid(((0,), (1,)))
    both = [at(n * 10, 1.0, topic=topic) for n in range(100) for topic in (0, 1)]
    run(watched, both)
    delays = []
    for n in range(100, 200):
        for row in watched.push(*at(n * 10, 1.0)):
            assert isinstance(row, Row)
            delays.append(START + n * 10 * MS - row.stamp_ns)
    assert max(delays) <= 60 * MS
    assert delays[-1] == 10 * MS


def test_a_repeated_message_counts_once() -> None:
    watched = grid()
    (row,) = rows_of(run(watched, [at(1, 1.0), at(2, 4.0), at(2, 4.0), at(2, 4.0)]))
    assert row.values[0] == 2.5
    assert watched.counts.repeated == 2


def test_other_values_under_the_same_stamp_are_kept() -> None:
    (row,) = rows_of(run(grid(), [at(1, 1.0), at(1, 4.0)]))
    assert row.values[0] == 2.5


def test_samples_out_of_order_fall_into_their_cell_once_the_disorder_is_known() -> None:
    watched = grid()
    pairs = [(n * 10 + 12, n * 10) for n in range(50)]  # each sample before the one it follows
    items = run(watched, [at(stamp, float(stamp)) for pair in pairs for stamp in pair])
    assert watched.counts.late == watched.counts.dropped == 0
    for row in rows_of(items)[3:-2]:
        start_ms = (row.stamp_ns - START) // MS
        assert row.values[0] == start_ms + 1.0  # the mean of start and start + 2


def test_two_publishers_of_one_topic_do_not_shut_each_other_out() -> None:
    watched = grid(((0, 1),))
    samples = []
    for n in range(50):
        samples += [at(n * 10 + 8, float(n), NAN), at(n * 10 - 15, NAN, float(n))]
    rows = rows_of(run(watched, samples))
    assert watched.counts.dropped == 0
    for row in rows[5:-5]:
        (one, other) = row.values
        assert row.fresh.all()
        assert other - one == 2.0  # stamped 15 + 8 ms earlier: two cells


def test_a_late_sample_moves_to_the_open_cell_so_that_its_peak_is_kept() -> None:
    watched = grid(((0,), (1,)))
    items = [item for n in range(20) for item in watched.push(*at(n * 10, 0.0))]
    items += watched.push(*at(0, 1.0, topic=1))
    items += run(watched, [*(at(n * 10, 0.0) for n in range(20, 30)), at(100, 9.0, topic=1)])
    rows = rows_of(items)
    assert watched.counts.late == 2
    assert rows[-1].values[1] == 9.0


def test_a_late_sample_older_than_its_channels_values_is_dropped_and_counted() -> None:
    watched = grid()
    items = run(watched, [*(at(n * 10, 0.0) for n in range(20)), at(15, 9.0), at(200, 0.0)])
    assert watched.counts.dropped == 1
    assert all(row.values[0] == 0.0 for row in rows_of(items))


def test_a_pause_of_all_topics_is_one_gap() -> None:
    samples = [at(n * 10, 1.0) for n in range(10)]
    samples += [at(26_700 + n * 10, 2.0) for n in range(10)]
    watched = grid()
    items = run(watched, samples)
    assert len(items) == 21
    assert items[10] == Gap(START + 100 * MS, START + 26_700 * MS)
    assert watched.counts.gaps == 1


def test_a_slow_topic_is_held_over_a_gap_and_a_fast_one_is_not() -> None:
    fast = [at(n * 10, 1.0) for n in range(100)] + [at(9000 + n * 10, 2.0) for n in range(50)]
    other = [at(n * 10 + 2, 5.0, topic=1) for n in range(100)]
    other += [at(9033 + n * 10, 6.0, topic=1) for n in range(40)]
    slow = [at(n * 3000, float(n), topic=2) for n in range(4)]
    samples = sorted(fast + other + slow, key=lambda sample: sample[1])
    items = run(
        grid(((0,), (1,), (2,)), max_gap_s=2.0), [s for s in samples if s[1] != START + 3 * S]
    )
    gap = next(n for n, item in enumerate(items) if isinstance(item, Gap))
    after = rows_of(items[gap:])
    assert after[0].stamp_ns == START + 9030 * MS  # the first with both fast topics
    assert after[0].values[1] == 6.0


def test_a_topic_lost_in_a_gap_does_not_silence_the_rest_for_good() -> None:
    samples = [at(n * 10, 1.0, topic=topic) for n in range(50) for topic in (0, 1)]
    samples += [at(10_000 + n * 10, 2.0) for n in range(100)]
    rows = rows_of(run(grid(((0,), (1,)), stale_s=0.5), samples))
    assert rows[-1].stamp_ns == START + 10_990 * MS
    assert rows[-1].values.tolist() == [2.0, 1.0]


def test_a_topic_slower_than_the_gap_makes_no_gaps_once_its_rate_is_known() -> None:
    watched = grid(sample_rate_hz=10.0, max_gap_s=1.0)
    items = run(watched, [at(n * 1020, float(n)) for n in range(60)])
    assert watched.counts.gaps <= 2
    assert len(rows_of(items)) > 550


def test_one_stamp_far_ahead_is_a_stray_and_disturbs_nothing() -> None:
    samples = [at(n * 10, 1.0) for n in range(100)]
    disturbed = grid()
    items = run(disturbed, [*samples[:50], at(4000, 9.0), *samples[50:]])
    assert same(items, run(grid(), samples))
    assert disturbed.counts.stray == 1


def test_time_that_jumps_back_starts_a_new_segment() -> None:
    samples = [at(n * 10, 1.0) for n in range(500)]
    watched = grid()
    items = run(watched, [*samples, *samples])  # a bag played in a loop
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.end_ns < gap.start_ns
    assert watched.counts.restarts == 1
    assert len(rows_of(items)) > 850


def test_values_that_are_not_finite_never_reach_a_row() -> None:
    watched = grid(((0, 1),))
    bad = [at(11, NAN, 2.0), at(12, float('inf'), 3.0), at(21, 1e39, -float('inf'))]
    rows = rows_of(run(watched, [at(1, 1.0, 1.0), *bad, at(31, 4.0, 4.0)]))
    assert [row.values.tolist() for row in rows] == [[1, 1], [1, 2.5], [1, 3], [4, 4]]
    assert [row.fresh.tolist() for row in rows][1:3] == [[False, True], [False, False]]
    assert watched.counts.non_finite == 4
    assert watched.non_finite.tolist() == [3, 1]


def test_a_constant_channel_passes() -> None:
    rows = rows_of(run(grid(), [at(n * 10, 7.0) for n in range(300)]))
    assert {row.values[0] for row in rows} == {7.0}
    assert len(rows) == 300


def test_a_reset_grid_gives_the_same_rows_again() -> None:
    samples = [at(n * 7, float(n)) for n in range(100)]
    watched = grid()
    first = run(watched, samples)
    watched.reset()
    assert same(first, run(watched, samples))


def test_memory_stays_bounded_while_a_channel_never_speaks() -> None:
    watched = grid(((0,), (1,)), lateness_s=0.2)
    for n in range(5000):
        assert watched.push(*at(n * 10, 1.0)) == []
    assert len(watched._cells) <= 22  # lateness times rate, and the cell being filled


@st.composite
def streams(draw: st.DrawFn) -> list[Sample]:
    """Three topics, near the grid's rate and far above it, with jitter and bursts."""
    samples: list[Sample] = []
    for topic, period_ms in enumerate((1.3, 10.0, 14.0)):
        count = round(draw(st.integers(150, 400)) / period_ms)
        jitter = draw(st.lists(st.floats(0, 0.9), min_size=count, max_size=count))
        for n in range(count):
            value = draw(st.integers(-1000, 1000)) / 8
            samples.append(at((n + jitter[n]) * period_ms, value, topic=topic))
    return sorted(samples, key=lambda sample: sample[1])


COLUMNS = ((1,), (0,), (2,))


@settings(max_examples=40, deadline=None)
@given(streams())
def test_the_farthest_sample_of_every_cell_can_be_recovered(samples: list[Sample]) -> None:
    rows = rows_of(run(grid(COLUMNS), samples))
    assert rows
    for topic, (column,) in enumerate(COLUMNS):
        for row in rows:
            inside = [
                values[0]
                for which, stamp_ns, values in samples
                if which == topic and row.stamp_ns <= stamp_ns < row.stamp_ns + 10 * MS
            ]
            assert bool(row.fresh[column]) == bool(inside)
            if inside:
                mean = np.mean(inside)
                extreme = row.values[column] + row.peaks[column]
                assert row.values[column] == pytest.approx(mean, abs=1e-9)
                assert abs(extreme - mean) == pytest.approx(
                    np.abs(np.array(inside) - mean).max(), abs=1e-9
                )
                assert np.isclose(extreme, inside, atol=1e-9).any()


@settings(max_examples=40, deadline=None)
@given(streams(), st.lists(st.floats(0, 45), min_size=3, max_size=3))
def test_the_order_in_which_topics_arrive_does_not_change_rows(
    samples: list[Sample], delays_ms: list[float]
) -> None:
    arrived = sorted(samples, key=lambda sample: sample[1] + delays_ms[sample[0]] * MS)
    watched = grid(COLUMNS, lateness_s=0.05)
    assert same(run(watched, arrived), run(grid(COLUMNS, lateness_s=0.05), samples))
    assert watched.counts.late == 0


@settings(max_examples=40, deadline=None)
@given(streams(), st.integers(0, 200))
def test_rows_depend_on_nothing_that_comes_after_them(samples: list[Sample], cut: int) -> None:
    whole, part = grid(COLUMNS), grid(COLUMNS)
    rows = run(whole, samples)
    early = [row for sample in samples[:cut] for row in part.push(*sample)]
    assert same(early, rows[: len(early)])
