from __future__ import annotations

from pathlib import Path

import pytest

from taolora_ros.bags import read_messages
from taolora_ros.errors import BagError
from taolora_ros.simulation.faults import FaultKind
from taolora_ros.simulation.recording import SimulationConfig
from taolora_ros.simulation.simulate import simulate

CONFIG = SimulationConfig(
    duration_s=14.0, kinds=(FaultKind.LOOSE_IMU,), count=1, lead_s=3.0, spacing_s=3.0
)


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('simulated') / 'arm'
    simulate(path, CONFIG, progress=lambda share: None)
    return path


def test_same_configuration_gives_the_same_bag(bag: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    faults = simulate(tmp_path / 'again', CONFIG, progress=shares.append)
    assert [fault.kind for fault in faults] == [FaultKind.LOOSE_IMU]
    assert shares[-1] == 1.0
    first, again = (
        [(raw.topic, raw.receive_ns, bytes(raw.data)) for raw in read_messages(path)]
        for path in (bag, tmp_path / 'again')
    )
    assert first == again


def test_recording_is_not_overwritten(bag: Path) -> None:
    with pytest.raises(BagError, match='exists already'):
        simulate(bag, CONFIG, progress=lambda share: None)
