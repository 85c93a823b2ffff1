from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taolora_ros.bags import BagWriter, bag_types, read_messages, topics
from taolora_ros.nodes import snapshots
from taolora_ros.nodes.options import SnapshotOptions
from taolora_ros.nodes.snapshots import LATE_S, PARTIAL, WAITING, SnapshotWriter
from taolora_ros.preservation.clips import Clip
from taolora_ros.samples import RawMessage

FLOAT = 'std_msgs/msg/Float64'
WAIT_S = 20.0

Make = Callable[..., SnapshotWriter]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    writers: list[SnapshotWriter] = []

    def build(
        prefix: str = '/robot/taolora_detector',
        clock: Callable[[], float] = time.monotonic,
        **options: object,
    ) -> SnapshotWriter:
        given = {'directory': str(tmp_path / 'bags'), **options}
        writers.append(SnapshotWriter(SnapshotOptions(**given), prefix=prefix, clock=clock))
        return writers[-1]

    yield build
    for writer in writers:
        writer.close(WAIT_S)


def _message(number: int, type_name: str = FLOAT, size: int = 0) -> RawMessage:
    data = b'\x00\x01\x00\x00' + struct.pack('<d', float(number)) + bytes(size)
    return RawMessage('/a', type_name, data, 1_000_000_000 + number)


def _clip(name: str = '20260101T000000.000_event1', count: int = 3, size: int = 0) -> Clip:
    return Clip(name, tuple(_message(number, size=size) for number in range(count)), 0)


def _write(writer: SnapshotWriter, clip: Clip) -> str:
    ticket = writer.submit(clip)
    assert ticket.is_done.wait(WAIT_S)
    return ticket.problem


def test_a_snapshot_is_a_bag_of_the_messages_as_they_came(make: Make) -> None:
    writer, clip = make(), _clip()
    assert _write(writer, clip) == ''
    path = writer.path_of(clip.name)
    assert path.name == 'robot_taolora_detector_20260101T000000.000_event1'
    assert topics(path) == {'/a': FLOAT}
    read = [(m.topic, bytes(m.data), m.receive_ns) for m in read_messages(path)]
    assert read == [(m.topic, bytes(m.data), m.receive_ns) for m in clip.messages]
    assert 'float64 data' in bag_types(path).definition_text(FLOAT)[0]
    assert list((writer.directory / PARTIAL).rglob('*.mcap')) == []


def test_the_oldest_make_room_and_nothing_else_is_touched(make: Make) -> None:
    writer = make(max_disk_mb=0.1)
    bystanders = [
        writer.directory / 'robot_taolora_detector_notes',
        writer.directory / 'other_20250101T000000.000_event1',
    ]
    for path in bystanders:
        path.mkdir(parents=True)
        (path / 'file').write_bytes(bytes(100_000))
    names = [f'20260101T00000{second}.000_event{second}' for second in range(4)]
    for name in names:
        assert _write(writer, _clip(name, count=4, size=10_000)) == ''
    left = [name for name in names if writer.path_of(name).exists()]
    assert left == names[-2:]  # 40 kB each: two and what is about them fit into 100 kB
    assert writer.counts.removed == 2
    assert all(path.exists() for path in bystanders)


def test_a_clip_that_can_never_fit_is_refused_and_removes_nothing(make: Make) -> None:
    writer = make(max_disk_mb=0.1)
    assert _write(writer, _clip(size=10_000)) == ''
    too_large = _clip('20260101T000001.000_event2', count=11, size=10_000)
    assert 'exceed snapshots.max_disk_mb (0.1)' in _write(writer, too_large)
    assert (writer.counts.written, writer.counts.failed, writer.counts.removed) == (1, 1, 0)


def test_a_directory_that_cannot_be_written_is_named_and_the_next_clip_is_tried(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / 'bags').write_text('no folder')
    writer = make()
    problem = _write(writer, _clip())
    assert str(tmp_path / 'bags') in problem
    assert writer.counts.problem == problem
    (tmp_path / 'bags').unlink()
    assert _write(writer, _clip()) == ''
    assert (writer.counts.written, writer.counts.failed, writer.counts.problem) == (1, 1, '')


def test_messages_whose_type_nobody_knows_are_left_out_and_counted(make: Make) -> None:
    writer = make()
    strange = Clip('20260101T000000.000_event1', (_message(1), _message(2, 'no/msg/Such')), 0)
    assert _write(writer, strange) == ''
    assert len(list(read_messages(writer.path_of(strange.name)))) == 1
    assert writer.counts.unknown == 1


def test_an_empty_clip_is_refused_with_its_reason(make: Make) -> None:
    assert _write(make(), Clip('20260101T000000.000_asked', (), 0)) == 'no message has come yet'


def test_what_an_interrupted_run_left_behind_is_removed(make: Make, tmp_path: Path) -> None:
    ours = tmp_path / 'bags' / PARTIAL / 'robot_taolora_detector' / 'half'
    theirs = tmp_path / 'bags' / PARTIAL / 'other' / 'half'
    still_written = ours.with_name(str(os.getpid())) / 'half'  # by a writer before this one
    for path in (ours, theirs, still_written):
        path.mkdir(parents=True)
    writer = make()
    assert writer.close(WAIT_S)
    assert not ours.exists()
    assert theirs.exists()
    assert still_written.exists()


@pytest.mark.parametrize('prefix', ['../../etc', '/a/b', 'robot 1\n', '..'])
def test_a_prefix_cannot_leave_the_directory(make: Make, prefix: str) -> None:
    writer = make(prefix)
    path = writer.path_of('20260101T000000.000_event1')
    assert path.parent == writer.directory
    assert not path.name.startswith('.')


def test_closing_writes_what_waits(make: Make) -> None:
    writer = make()
    names = [f'20260101T00000{second}.000_event{second}' for second in range(3)]
    for name in names:
        writer.submit(_clip(name))
    assert writer.close(WAIT_S)
    assert all(writer.path_of(name).exists() for name in names)


class HungDisk:
    """A disk on which no bag can be opened before `answer` is called, and a clock to watch it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_asked = is_asked = threading.Event()
        self._answers = answers = threading.Event()
        self.now_s = 0.0

        class Waiting(BagWriter):
            def __enter__(self) -> BagWriter:
                is_asked.set()
                assert answers.wait(WAIT_S)
                return super().__enter__()

        monkeypatch.setattr(snapshots, 'BagWriter', Waiting)

    def clock(self) -> float:
        return self.now_s

    def answer(self) -> None:
        self._answers.set()


@pytest.fixture
def hung_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[HungDisk]:
    disk = HungDisk(monkeypatch)
    yield disk
    disk.answer()


def _named(count: int) -> list[Clip]:
    return [_clip(f'20260101T00000{second}.000_event{second}') for second in range(count)]


def test_a_disk_that_hangs_is_named_promises_nothing_and_holds_few_clips(
    hung_disk: HungDisk, make: Make
) -> None:
    writer = make(clock=hung_disk.clock)
    first, *others = _named(WAITING + 3)
    writer.submit(first)
    assert hung_disk.is_asked.wait(WAIT_S)
    assert (writer.counts.problem, writer.counts.late) == ('', 0)
    assert writer.uri_of(first.name) == writer.path_of(first.name).as_uri()
    hung_disk.now_s = LATE_S + 1.0
    assert writer.counts.problem == f'the disk hangs: {writer.directory}, for longer than 5 s'
    assert writer.counts.late == 1
    assert writer.uri_of(first.name) == ''
    tickets = [writer.submit(clip) for clip in others]
    refused = [ticket for ticket in tickets if ticket.is_done.is_set()]
    assert [ticket.problem for ticket in refused] == [
        f'the disk is too slow: {WAITING} snapshots wait for it'
    ] * 2
    assert (writer.counts.failed, writer.counts.waiting) == (2, WAITING)
    hung_disk.answer()
    assert all(ticket.is_done.wait(WAIT_S) for ticket in tickets)
    assert (writer.counts.written, writer.counts.late) == (WAITING + 1, 1)
    assert (writer.counts.problem, writer.counts.waiting) == ('', 0)
    assert writer.uri_of(first.name) != ''


def test_closing_does_not_wait_for_a_disk_that_hangs_and_gives_up_what_waits(
    hung_disk: HungDisk, make: Make
) -> None:
    writer = make(clock=hung_disk.clock)
    clips = _named(3)
    tickets = [writer.submit(clip) for clip in clips]
    assert hung_disk.is_asked.wait(WAIT_S)
    hung_disk.now_s = LATE_S + 1.0
    assert not writer.close(1e6)  # if it waited, this test would not end
    assert [ticket.is_done.is_set() for ticket in tickets] == [False, True, True]
    assert writer.counts.failed == 2
    hung_disk.answer()
    assert tickets[0].is_done.wait(WAIT_S)
    assert writer.close(WAIT_S)
    assert [writer.path_of(clip.name).exists() for clip in clips] == [True, False, False]
