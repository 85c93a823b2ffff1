from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from taolora_ros.logging import ROOT, JsonFormatter, TextFormatter, log_to, logger


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger(ROOT)
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.level, root.propagate = before[0], before[1], before[2]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_fields_follow_the_event_as_key_and_value(stream: io.StringIO) -> None:
    log_to(stream)
    logger('taolora_ros.ingest').warning('type changed', topic='/imu', count=3)
    assert stream.getvalue() == 'type changed; topic=/imu count=3\n'


def test_a_value_with_spaces_or_lines_is_quoted_on_one_line(stream: io.StringIO) -> None:
    log_to(stream)
    logger('taolora_ros.ingest').warning('skipped', reason='two\nlines', empty='')
    assert stream.getvalue() == "skipped; reason='two lines' empty=''\n"


def test_json_holds_the_fields_and_where_they_come_from(stream: io.StringIO) -> None:
    log_to(stream, as_json=True)
    logger('taolora_ros.engine').error('stopped', hops=7)
    line = json.loads(stream.getvalue())
    assert line.pop('time') > 0
    assert line == {
        'level': 'error',
        'logger': 'taolora_ros.engine',
        'event': 'stopped',
        'hops': 7,
    }


def test_records_of_plain_loggers_pass_as_they_are(stream: io.StringIO) -> None:
    log_to(stream)
    logging.getLogger('taolora_ros.ingest.intake').warning('%s: skipped', '/imu')
    assert stream.getvalue() == '/imu: skipped\n'


@pytest.mark.parametrize(('level', 'lines'), [(logging.DEBUG, 4), (logging.WARNING, 2)])
def test_records_below_the_level_are_left_out(stream: io.StringIO, level: int, lines: int) -> None:
    log_to(stream, level=level)
    log = logger('taolora_ros.x')
    for say in (log.debug, log.info, log.warning, log.error):
        say('event')
    assert len(stream.getvalue().splitlines()) == lines


def test_what_recurs_is_said_at_powers_of_ten_for_each_key(stream: io.StringIO) -> None:
    log_to(stream)
    log = logger('taolora_ros.x')
    for _ in range(120):
        log.recurring('lost', key='/imu', topic='/imu')
    log.recurring('lost', key='/odom', topic='/odom')
    assert stream.getvalue().splitlines() == [
        'lost; topic=/imu times=1',
        'lost; topic=/imu times=10',
        'lost; topic=/imu times=100',
        'lost; topic=/odom times=1',
    ]


def test_a_record_names_the_line_that_logged_it() -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger(ROOT).addHandler(handler)
    logger('taolora_ros.x').warning('here')
    assert records[0].filename == 'test_logging.py'


@pytest.mark.parametrize('formatter', [TextFormatter(), JsonFormatter()])
def test_values_of_any_type_can_be_logged(formatter: logging.Formatter) -> None:
    record = logging.LogRecord('taolora_ros', logging.INFO, '', 0, 'event', None, None)
    record.taolora_fields = {'types': {'a', 'b'}, 'none': None}
    assert 'event' in formatter.format(record)
