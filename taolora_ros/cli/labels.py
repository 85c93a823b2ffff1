"""Where the ground truth of a bag is found, for the verbs that compare with it."""

from __future__ import annotations

from pathlib import Path

from taolora_ros.bags import bag_types, read_messages, read_series, topics
from taolora_ros.evaluation.events import Truth
from taolora_ros.evaluation.truth import FAULTS_TOPIC, truths_from_messages, truths_from_series

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
