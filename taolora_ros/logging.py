"""Structured logs: what happened in a few fixed words, its facts as fields.

    log = logger(__name__)
    log.warning('type changed', topic='/imu', before='sensor_msgs/msg/Imu', after='…')

It is a thin layer over the standard library's logging, so any handler works. `TextFormatter`
renders the fields as `key=value`, `JsonFormatter` as one JSON object a line; the nodes hand the
same records to ROS.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, TextIO

ROOT = 'taolora_ros'
FIELDS = 'taolora_fields'  # attribute of a log record


class Logger:
    """Logs an event and its fields under one name."""

    def __init__(self, target: logging.Logger) -> None:
        self._target = target
        self._recurred: Counter[tuple[str, str]] = Counter()

    def debug(self, event: str, **fields: Any) -> None:
        """Record what only a developer wants to know."""
        self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Record a step that a user expects."""
        self._emit(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Record what went wrong without stopping the work."""
        self._emit(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Record what stopped the work."""
        self._emit(logging.ERROR, event, fields)

    def recurring(self, event: str, *, key: str, **fields: Any) -> None:
        """Warn at the 1st, 10th, 100th … time, so that a broken topic cannot flood the log.

        Args:
            event: what happened.
            key: what it happened to; each key counts for itself, e.g. a topic.
            fields: facts; the count is added as `times`.
        """
        self._recurred[event, key] += 1
        times = self._recurred[event, key]
        if str(times).strip('0') == '1':
            self._emit(logging.WARNING, event, {**fields, 'times': times})

    def _emit(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        if self._target.isEnabledFor(level):
            self._target.log(level, event, extra={FIELDS: dict(fields)}, stacklevel=3)


def logger(name: str) -> Logger:
    """A logger of this package, for a module's `__name__`."""
    return Logger(logging.getLogger(name))


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a record; empty for one that another package logged."""
    fields: dict[str, Any] = getattr(record, FIELDS, {})
    return fields


class TextFormatter(logging.Formatter):
    """`event; key=value key=value`, values quoted where they hold spaces."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of text."""
        facts = ' '.join(f'{key}={_quoted(value)}' for key, value in fields_of(record).items())
        message = record.getMessage()
        return f'{message}; {facts}' if facts else message


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        head = {
            'time': record.created,
            'level': record.levelname.lower(),
            'logger': record.name,
            'event': record.getMessage(),
        }
        return json.dumps({**fields_of(record), **head}, default=str)


def log_to(stream: TextIO, *, level: int = logging.WARNING, as_json: bool = False) -> None:
    """Send this package's records to a stream, in place of where they went before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    attach(handler, level=level)


def attach(handler: logging.Handler, *, level: int) -> None:
    """Make a handler the only one of this package's records."""
    root = logging.getLogger(ROOT)
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False


def _quoted(value: Any) -> str:
    text = ' '.join(str(value).split())
    return repr(text) if ' ' in text or not text else text
