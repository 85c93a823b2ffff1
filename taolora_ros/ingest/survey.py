"""What there is to watch in a bag, topic by topic: rates, numbers, defects of stamps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taolora_ros.config import IngestConfig, StampSource
from taolora_ros.errors import ChannelError, MessageError
from taolora_ros.ingest.channels import EVERY, Channel, Reduction, parse_channel
from taolora_ros.ingest.fields import FieldReader
from taolora_ros.ingest.schema import element_names, numeric_fields
from taolora_ros.ingest.stamps import StampChooser
from taolora_ros.ingest.storage import bag_types, read_messages, topics
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import NS_PER_S, Ints, RawMessage

_SAMPLED = 500  # messages a topic whose values are looked at; stamps are looked at in all


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """One number of a message type, or one array of numbers."""

    path: str  # as in a channel; an array ends in [*]
    names: tuple[str, ...]  # of the array's elements, where the message names them
    low: float  # smallest finite value seen; NaN where there was none
    high: float
    non_finite_share: float  # of the messages looked at: no finite value, 0 to 1


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """One topic of a recording."""

    topic: str
    type_name: str
    messages: int
    rate_hz: float  # by receipt, pauses left out; 0 with fewer than two messages
    longest_pause_s: float  # by receipt
    has_header: bool
    zero_stamps: int  # headers with stamp 0
    skewed_stamps: int  # headers too far from receipt to be believed
    skew_s: float  # header minus receipt, median of the headers that are not 0; NaN without one
    backward_stamps: int  # headers older than the one before
    repeated_stamps: int  # headers equal to the one before
    unreadable: int
    stamp_source: StampSource  # that `auto` would choose
    stamp_reason: str
    fields: tuple[FieldSummary, ...]
    problem: str = ''  # why its messages can't be read


class TopicSurvey:
    """Looks at one topic's messages as they pass.

    Args:
        topic: its name.
        type_name: of its messages.
        registry: finds the type's fields.
        config: what counts as a clock that is off.
    """

    def __init__(
        self, topic: str, type_name: str, registry: TypeRegistry, config: IngestConfig
    ) -> None:
        self._topic, self._type_name = topic, type_name
        self._clock = StampChooser(StampSource.AUTO, round(config.max_clock_skew_s * NS_PER_S))
        self._receipts: list[int] = []
        self._headers: list[int] = []
        self._values: list[tuple[float, ...]] = []
        self._names: dict[str, tuple[str, ...]] = {}
        self._unreadable, self._problem = 0, ''
        self._paths: tuple[str, ...] = ()
        self._registry = registry
        self._stamp_reader: FieldReader | None = None
        try:
            self._paths = numeric_fields(type_name, registry)
            self._stamp_reader = FieldReader(type_name, [], registry)
            self._reader = FieldReader(type_name, list(self._extremes()), registry)
        except ChannelError as error:
            self._problem = str(error)

    def add(self, message: RawMessage) -> None:
        """Look at the next message."""
        self._receipts.append(message.receive_ns)
        if self._stamp_reader is None or self._problem:
            return
        try:
            if len(self._values) < _SAMPLED:
                header_ns, values = self._reader.read(message.data)
                if not self._values:
                    self._names = element_names(
                        self._type_name, self._paths, message.data, self._registry
                    )
                self._values.append(values)
            else:
                header_ns, _ = self._stamp_reader.read(message.data)
        except MessageError:
            self._unreadable += 1
            return
        self._clock.date(header_ns, message.receive_ns)
        if header_ns is not None:
            self._headers.append(header_ns)

    def summary(self) -> TopicSummary:
        """What was seen so far."""
        receipts = np.array(self._receipts, dtype=np.int64)
        headers = np.array(self._headers, dtype=np.int64)
        pauses = np.diff(receipts)
        steps = np.diff(headers[headers > 0])
        return TopicSummary(
            topic=self._topic,
            type_name=self._type_name,
            messages=len(receipts),
            rate_hz=_rate_hz(pauses),
            longest_pause_s=float(pauses.max() / NS_PER_S) if pauses.size else 0.0,
            has_header=bool(headers.size),
            zero_stamps=self._clock.zero,
            skewed_stamps=self._clock.skewed,
            skew_s=self._clock.skew_ns / NS_PER_S if (headers > 0).any() else float('nan'),
            backward_stamps=int((steps < 0).sum()),
            repeated_stamps=int((steps == 0).sum()),
            unreadable=self._unreadable,
            stamp_source=self._clock.source,
            stamp_reason=self._clock.reason,
            fields=tuple(self._fields()),
            problem=self._problem,
        )

    def _extremes(self) -> Iterable[Channel]:
        for path in self._paths:
            if EVERY not in path:
                yield parse_channel(f'{self._topic}:{path}')
                continue
            for kind in (Reduction.MIN, Reduction.MAX):
                yield parse_channel(f'{self._topic}:{path}|{kind.value}')

    def _fields(self) -> Iterable[FieldSummary]:
        column = 0
        values = np.array(self._values, dtype=np.float64)
        for path in self._paths:
            width = 2 if EVERY in path else 1
            seen = values[:, column : column + width] if len(values) else np.empty((0, width))
            column += width
            finite = seen[np.isfinite(seen)]
            yield FieldSummary(
                path=path,
                names=self._names.get(path, ()),
                low=float(finite.min()) if finite.size else float('nan'),
                high=float(finite.max()) if finite.size else float('nan'),
                non_finite_share=1.0 - finite.size / seen.size if seen.size else 0.0,
            )


def _rate_hz(intervals_ns: Ints) -> float:
    """Messages a second while a topic speaks: intervals far beyond the usual are pauses."""
    if not intervals_ns.size:
        return 0.0
    longest = max(10.0 * float(np.median(intervals_ns)), float(NS_PER_S))
    usual = intervals_ns[intervals_ns <= longest]
    total = usual.sum() / NS_PER_S
    return float(usual.size / total) if total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class BagSummary:
    """What a recording holds."""

    path: Path
    start_ns: int  # first receipt; 0 in an empty bag
    duration_s: float
    messages: int
    topics: tuple[TopicSummary, ...]


def describe(path: Path | str, config: IngestConfig | None = None) -> BagSummary:
    """Look through a whole bag.

    Args:
        path: the recording.
        config: what counts as a clock that is off.

    Raises:
        BagError: see `storage.open_bag`.
    """
    config, registry = config or IngestConfig(), bag_types(path)
    surveys = {
        topic: TopicSurvey(topic, type_name, registry, config)
        for topic, type_name in topics(path).items()
    }
    first_ns = last_ns = messages = 0
    for message in read_messages(path):
        surveys[message.topic].add(message)
        first_ns = message.receive_ns if not messages else min(first_ns, message.receive_ns)
        last_ns = max(last_ns, message.receive_ns)
        messages += 1
    return BagSummary(
        path=Path(path),
        start_ns=first_ns,
        duration_s=(last_ns - first_ns) / NS_PER_S,
        messages=messages,
        topics=tuple(surveys[topic].summary() for topic in sorted(surveys)),
    )
