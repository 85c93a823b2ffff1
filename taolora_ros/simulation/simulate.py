"""From a configuration to a rosbag2 recording of the arm at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from taolora_ros.bags import BagWriter
from taolora_ros.simulation.faults import Fault
from taolora_ros.simulation.messages import messages
from taolora_ros.simulation.recording import SimulationConfig, record

_DELAYS = 1  # which of the seed's streams
_MESSAGES_PER_S = 501  # of all topics together
_RECORDING_SHARE = 0.75  # of the time; the rest is writing


def simulate(
    path: Path | str, config: SimulationConfig, *, progress: Callable[[float], None]
) -> tuple[Fault, ...]:
    """Write the arm's working time as a bag (mcap); the same configuration gives the same bag.

    Args:
        path: folder to create.
        config: what to simulate.
        progress: told the share done, 0 to 1.

    Returns:
        The faults that happened, in time.

    Raises:
        BagError: the folder exists already or can't be written.
        ConfigError: the faults don't fit into the duration.
    """
    with BagWriter(path) as writer:
        simulated = record(config, progress=lambda share: progress(_RECORDING_SHARE * share))
        delays = np.random.default_rng([config.seed, _DELAYS])
        expected = _MESSAGES_PER_S * config.duration_s
        stream = messages(simulated.streams, simulated.faults, writer.registry, delays)
        for number, message in enumerate(stream):
            writer.write_raw(message)
            if number % 5000 == 0:
                share = min(1.0, number / expected)
                progress(_RECORDING_SHARE + (1.0 - _RECORDING_SHARE) * share)
    progress(1.0)
    return simulated.faults
