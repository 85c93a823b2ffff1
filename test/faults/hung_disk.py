"""A detector on whose disk no bag can be opened.

    python hung_disk.py GATE LATE_S --ros-args …

GATE is a FIFO: whoever opens a bag first opens the FIFO to write, and so waits in the kernel until
somebody reads it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from taolora_ros.bags import BagWriter
from taolora_ros.nodes import detector, snapshots


def hang(gate: Path) -> type[BagWriter]:
    """A writer of bags that waits at the gate."""

    class Hanging(BagWriter):
        def __enter__(self) -> BagWriter:
            gate.open('wb').close()
            return super().__enter__()

    return Hanging


def main() -> None:
    """Run the detector; a disk that takes longer than `LATE_S` hangs."""
    gate, late_s = Path(sys.argv.pop(1)), float(sys.argv.pop(1))
    setattr(snapshots, 'BagWriter', hang(gate))  # noqa: B010
    setattr(snapshots, 'LATE_S', late_s)  # noqa: B010
    detector.main()


if __name__ == '__main__':
    main()
