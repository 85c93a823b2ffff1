from __future__ import annotations

from pathlib import Path

import pytest

from taolora_ros import artifact
from taolora_ros.config import Config, DetectionConfig, ModelConfig, TrainingConfig, WindowConfig
from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.speed.pipeline import (
    Blow,
    Delay,
    Matching,
    Onset,
    PipelineFindings,
    match,
    measure_pipeline,
)
from taolora_ros.evaluation.speed.struck_detector import make_struck_detector
from taolora_ros.evaluation.speed.struck_machine import CHANNELS, SPACING_ROWS, BlowSchedule

MS = 1_000_000
SMALL = Config(
    window=WindowConfig(patch=8, length=64),  # hops of 80 ms
    model=ModelConfig(order=3, width=32, blocks=1, kernel=2, expansion=1),
    training=TrainingConfig(epochs=0),
    detection=DetectionConfig(warmup_s=1.0),
)


def test_a_blow_is_found_by_the_event_that_begins_in_its_hop() -> None:
    # Struck at 1,035 ms, published 1 ms later; its hop covers 1,000 to 1,080 ms, and the row of
    # 1,085 ms completes it.
    blow = Blow(1_035 * MS, 1_036 * MS)
    assert match([blow], [Onset(1_093 * MS, 1_000 * MS)]) == Matching(
        (Delay(latency_ns=57 * MS, after_hop_ns=8 * MS),), missed=0, others=0
    )


def test_a_row_at_the_end_of_a_hop_completes_it() -> None:
    blow = Blow(1_000 * MS, 1_000 * MS)  # the row of 1,080 ms is the first past the hop
    (delay,) = match([blow], [Onset(1_083 * MS, 1_000 * MS)]).delays
    assert delay == Delay(latency_ns=83 * MS, after_hop_ns=3 * MS)


def test_a_blow_that_is_found_a_hop_later_counts_with_its_latency() -> None:
    blow = Blow(1_035 * MS, 1_035 * MS)
    (delay,) = match([blow], [Onset(1_170 * MS, 1_080 * MS)]).delays
    assert delay == Delay(latency_ns=135 * MS, after_hop_ns=5 * MS)


def test_an_event_before_the_blow_explains_nothing() -> None:
    blows = [Blow(1_035 * MS, 1_035 * MS), Blow(4_035 * MS, 4_035 * MS)]
    onsets = [Onset(900 * MS, 800 * MS), Onset(4_100 * MS, 4_000 * MS)]
    matching = match(blows, onsets)
    assert [delay.latency_ns for delay in matching.delays] == [65 * MS]
    assert (matching.missed, matching.others) == (1, 1)


def test_figures_are_over_all_machines() -> None:
    findings = PipelineFindings(
        (
            Matching((Delay(82 * MS, 4 * MS),), missed=1, others=0),
            Matching((Delay(42 * MS, 2 * MS), Delay(62 * MS, 3 * MS)), missed=0, others=2),
        ),
        cpu_shares=(0.04, 0.06),
        late_p99_ms=0.5,
    )
    figures = findings.to_mapping()
    assert figures['latency_over_hop_p50_ms'] == -18.0
    assert figures['latency_over_hop_p99_ms'] == pytest.approx(1.6)  # 0.98 of the way to 2
    assert figures['after_hop_p50_ms'] == 3.0
    assert (figures['events_sent'], figures['events_found']) == (4, 3)
    assert figures['events_without_blow'] == 2
    assert figures['cpu_share'] == 0.06
    met = {target.figure: target.is_met for target in findings.targets()}
    assert met == {'latency_over_hop_p99_ms': True, 'events_found': False, 'cpu_share': True}


def test_without_a_find_there_is_no_delay() -> None:
    findings = PipelineFindings((Matching((), missed=2, others=0),), (0.01,), 0.0)
    assert findings.to_mapping()['latency_over_hop_p99_ms'] is None
    assert findings.targets()[0].is_met is None


def test_blows_fall_on_every_row_of_a_hop_equally_often() -> None:
    schedule = BlowSchedule(16, lead_rows=400)
    within = [row - 400 - number * SPACING_ROWS for number, row in enumerate(schedule.blows)]
    assert sorted(within) == sorted([*range(8), *range(8)])
    assert within != sorted(within)


@pytest.fixture(scope='module')
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip('rclpy', reason='detectors run on ROS 2')
    pytest.importorskip('taolora_ros.msg', reason='the messages are not built')
    model = make_struck_detector(SMALL)
    assert model.channels == CHANNELS
    assert model.watch.network.correction is not None
    path = tmp_path_factory.mktemp('model') / 'model.safetensors'
    artifact.save(model, path)
    return path


def test_a_blow_on_a_live_machine_is_found(path: Path, tmp_path: Path) -> None:
    findings = measure_pipeline(
        path, tmp_path, machines=1, schedule=BlowSchedule(1, lead_rows=300)
    )
    figures = findings.to_mapping()
    assert (figures['events_sent'], figures['events_found']) == (1, 1)
    assert figures['events_without_blow'] == 0
    (delay,) = findings.delays
    assert delay.latency_ns > 0
    assert delay.after_hop_ns > 0
    assert figures['cpu_share'] > 0.0


def test_a_detector_that_fails_is_not_waited_for(tmp_path: Path) -> None:
    pytest.importorskip('taolora_ros.msg', reason='the messages are not built')
    with pytest.raises(TaoloraError, match=r'the process detector0 failed: .*absent'):
        measure_pipeline(tmp_path / 'absent', tmp_path, machines=1, schedule=BlowSchedule(1))
