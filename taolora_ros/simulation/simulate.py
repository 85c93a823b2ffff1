"""From a configuration to a rosbag2 recording of the arm at work."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from taolora_ros.bags import BagWriter
from taolora_ros.errors import BagError
from taolora_ros.simulation.faults import Fault
from taolora_ros.simulation.messages import messages
from taolora_ros.simulation.recording import SimulationConfig, record

_STRIDE = 5000  # messages between two reports of progress
_DELAYS = 1  # which of the seed's streams
_MESSAGES_PER_S = 501  # of all topics together
_RECORDING_SHARE = 0.75  # of the time; the rest is writing


def simulate(
    path: Path | str,
    config: SimulationConfig,
    *,
    progress: Callable[[float], None],
    force: bool = False,
) -> tuple[Fault, ...]:
    """Write the arm's working time as a bag (mcap); the same configuration gives the same bag.

    Args:
        path: folder to create.
        config: what to simulate.
        progress: told the share done, 0 to 1.
        force: replace a recording that is there already, once the new one is ready to be written.

    Returns:
        The faults that happened, in time.

    Raises:
        BagError: the folder exists already or can't be written.
        ConfigError: the faults don't fit into the duration.
    """
    path = Path(path)
    _check_room(path, force=force)
    simulated = record(config, progress=lambda share: progress(_RECORDING_SHARE * share))
    if path.exists():
        shutil.rmtree(path)
    writer = BagWriter(path)
    expected = _MESSAGES_PER_S * config.duration_s
    delays = np.random.default_rng([config.seed, _DELAYS])
    stream = messages(simulated.streams, simulated.faults, writer.registry, delays)
    with writer:
        for number, message in enumerate(stream):
            writer.write_raw(message)
            if number % _STRIDE == 0:
                share = min(1.0, number / expected)
                progress(_RECORDING_SHARE + (1.0 - _RECORDING_SHARE) * share)
    progress(1.0)
    return simulated.faults


def _check_room(path: Path, *, force: bool) -> None:
    if not path.exists():
        return
    if not force:
        raise BagError(f'{path}: exists already; add --force to replace it')
    is_recording = path.is_dir() and all(
        entry.suffix == '.mcap' or entry.name == 'metadata.yaml' for entry in path.iterdir()
    )
    if not is_recording:
        raise BagError(f'{path}: is no recording, so --force leaves it alone; remove it by hand')
