"""A subscriber of `taolora bench pipeline`: when the onset of each event was received.

Run it as `python -m taolora_ros.nodes.onsets 4`; it prints one line of JSON when it is stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial

from rclpy.node import Node

from taolora_ros.evaluation.speed.struck_machine import namespace
from taolora_ros.msg import AnomalyEvent
from taolora_ros.nodes.process import serve
from taolora_ros.samples import NS_PER_S

_QUEUE = 100


class Onsets(Node):
    """Listens to the events of all machines until it is stopped."""

    def __init__(self, machines: int) -> None:
        """Subscribe to the events of so many machines."""
        super().__init__('onsets')
        self.exit_code: int | None = None
        self._onsets: list[list[dict[str, int]]] = [[] for _ in range(machines)]
        for number in range(machines):
            self.create_subscription(
                AnomalyEvent,
                f'{namespace(number)}/taolora/anomalies',
                partial(self._hear, number),
                _QUEUE,
            )

    def _hear(self, number: int, event: AnomalyEvent) -> None:
        if event.state == AnomalyEvent.ONSET:
            received_ns = time.time_ns()
            onset_ns = event.onset.sec * NS_PER_S + event.onset.nanosec
            self._onsets[number].append({'received_ns': received_ns, 'onset_ns': onset_ns})

    def leave(self) -> None:
        """Say what was heard."""
        print(json.dumps({'machines': self._onsets}), flush=True)


def main() -> None:
    """Listen as a process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('machines', type=int)
    options = parser.parse_args()
    serve(lambda: Onsets(options.machines), args=[])


if __name__ == '__main__':
    main()
