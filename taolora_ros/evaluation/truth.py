"""Ground truth: from a recorded label series or the simulator's fault reports to true events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from taolora_ros.bags import bag_types, read_messages, read_series, topics
from taolora_ros.errors import InputError
from taolora_ros.evaluation.events import Truth
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import Floats, Ints, RawMessage

FAULTS_TOPIC = '/ground_truth/faults'  # the simulator's reports, which name the kind of fault
ANOMALY_TOPIC = '/ground_truth/anomaly'
ANOMALY_LABELS = f'{ANOMALY_TOPIC}:data'


def read_truths(bag: Path, asked: str, configured: str) -> tuple[Truth, ...] | None:
    """What truly happened in a bag, or None where it doesn't say.

    Args:
        bag: the recording.
        asked: labels that the user named for this call, as `/topic:field`; they must be there.
        configured: labels that the configuration names; a bag may lack them. Where neither is
            given, or the configured topic is absent, the simulator's topics are looked for.

    Raises:
        ChannelError: the labels asked for are not in the bag.
        InputError: a fault report can't be read.
    """
    known = topics(bag)
    spec = asked
    if not spec and configured.partition(':')[0] in known:
        spec = configured
    if not spec and ANOMALY_TOPIC in known:
        spec = ANOMALY_LABELS
    if FAULTS_TOPIC in known and spec.partition(':')[0] in ('', FAULTS_TOPIC, ANOMALY_TOPIC):
        return truths_from_messages(read_messages(bag, [FAULTS_TOPIC]), bag_types(bag))
    if not spec:
        return None
    return truths_from_series(*read_series(bag, spec))


def truths_from_series(
    stamps_ns: Ints, values: Floats, *, kind: str = 'anomaly'
) -> tuple[Truth, ...]:
    """Each run of non-zero labels is one true event.

    A label holds until the next one; the last holds for the median distance of two labels.

    Args:
        stamps_ns: [T] when each label was recorded, in any order.
        values: [T] 0 where normal, anything else where anomalous.
        kind: what the events are called.
    """
    if not len(stamps_ns):
        return ()
    order = np.argsort(stamps_ns, kind='stable')
    stamps = np.asarray(stamps_ns, dtype=np.int64)[order]
    flags = np.asarray(values)[order] != 0
    period = int(np.median(np.diff(stamps))) if len(stamps) > 1 else 0
    until = np.append(stamps, stamps[-1] + period)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return tuple(
        Truth(kind, int(until[begin]), int(until[end]))
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    )


def truths_from_messages(
    messages: Iterable[RawMessage], registry: TypeRegistry
) -> tuple[Truth, ...]:
    """The true events told by the std_msgs/String messages of `/ground_truth/faults`.

    Raises:
        InputError: a message is no string or its text no fault report.
    """
    texts = []
    for message in messages:
        text = getattr(registry.deserialize(message.data, message.type_name), 'data', None)
        if not isinstance(text, str):
            raise InputError(
                f'{message.topic} holds {message.type_name}, which is no fault report; '
                'needed: std_msgs/msg/String'
            )
        texts.append(text)
    return truths_from_reports(texts)


def truths_from_reports(texts: Iterable[str]) -> tuple[Truth, ...]:
    """The true events told by fault reports: one JSON object at onset and one at end.

    Raises:
        InputError: a report is no JSON object or lacks id, kind, onset_ns or end_ns.
    """
    truths: dict[int, Truth] = {}
    for text in texts:
        report = _parse(text)
        try:
            truths[int(report['id'])] = Truth(
                str(report['kind']), int(report['onset_ns']), int(report['end_ns'])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'fault report {text!r} lacks or garbles {error}; '
                'needed: id, kind, onset_ns, end_ns'
            ) from None
    return tuple(sorted(truths.values(), key=lambda truth: truth.onset_ns))


def _parse(text: str) -> dict[str, Any]:
    try:
        report = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f'fault report {text!r} is no JSON: {error}') from None
    if not isinstance(report, dict):
        raise InputError(f'fault report {text!r} is no JSON object')
    return report
