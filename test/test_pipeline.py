"""The whole way from recordings to events, on real sensor data and on the simulated arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from taolora_ros.bags import bag_types, read_messages, read_recording, resolve_channels
from taolora_ros.config import read_config
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.offline import run_bag
from taolora_ros.evaluation.runs import judge
from taolora_ros.evaluation.truth import read_truths
from taolora_ros.pipeline import Pipeline
from taolora_ros.samples import Phase
from taolora_ros.simulation.faults import FaultKind
from taolora_ros.simulation.recording import SimulationConfig
from taolora_ros.simulation.simulate import simulate
from taolora_ros.training.trainer import train

ROOT = Path(__file__).parents[1]
BAGS = ROOT.parent / 'shared' / 'data' / 'bags'
needs_recordings = pytest.mark.skipif(not BAGS.is_dir(), reason=f'no recordings in {BAGS}')


def _train(bags: Sequence[Path], settings: str) -> DetectorModel:
    config = read_config(ROOT / 'config' / settings)
    channels = resolve_channels(bags[0], config.channels)
    recordings = [read_recording(bag, channels, config.ingest) for bag in bags]
    return train(recordings, channels, config, progress=lambda stage, share: None)


@pytest.fixture(scope='module')
def rosa() -> DetectorModel:
    healthy = [BAGS / f'rosa_H{run}' for run in (102, 106, 114, 120, 124, 126, 132, 134)]
    return _train(healthy, 'rosa.yaml')


@needs_recordings
def test_pushes_against_a_real_shaft_are_found_and_ranked_above_normal(
    rosa: DetectorModel,
) -> None:
    results = []
    for bag in sorted(BAGS.glob('rosa_N2*')):
        run = run_bag(rosa, bag)
        truths = read_truths(bag, '', rosa.config.labels)
        results.append(judge(bag.name, run.trace, truths, tolerance_s=1.0, counts=run.counts))
    assert len(results) == 7
    assert np.mean([result.average_precision for result in results]) >= 0.75
    assert all(result.events_found == result.events for result in results)


@needs_recordings
def test_a_real_pause_of_27_seconds_is_no_event(rosa: DetectorModel) -> None:
    bag = BAGS / 'rosa_H100'
    pipeline = Pipeline(rosa, bag_types(bag))
    hops = [hop for message in read_messages(bag) for hop in pipeline.push(message)]
    assert pipeline.intake.counts.gaps == 1
    # The pause follows the first message; what comes after it is a session with its own warm-up.
    warmup_hops = -(-round(rosa.config.detection.warmup_s / rosa.config.period_s) // 4)
    assert [hop.phase for hop in hops[:warmup_hops]] == [Phase.WARMING] * warmup_hops
    assert all(hop.phase is Phase.WATCHING for hop in hops[warmup_hops:])
    assert not any(hop.event for hop in hops)


@needs_recordings
def test_a_detector_of_an_outdoor_robot_runs_through_its_recording() -> None:
    bag = BAGS / 'husky_outdoor'
    model = _train([bag], 'husky.yaml')
    run = run_bag(model, bag)
    assert np.isfinite(run.trace.scores).all()
    # 395 s at 30 Hz in tokens of four rows, less what the slowest topic holds back.
    assert len(run.trace.first_ns) == pytest.approx(395 * 30 / 4, rel=0.02)
    assert run.counts['unreadable'] == 0


@pytest.fixture(scope='module')
def arm(tmp_path_factory: pytest.TempPathFactory) -> DetectorModel:
    folder = tmp_path_factory.mktemp('arm')
    bags = [folder / f'normal_{seed}' for seed in range(2)]
    for seed, bag in enumerate(bags):
        _simulate(bag, SimulationConfig(duration_s=60.0, kinds=(), seed=seed))
    return _train(bags, 'arm.yaml')


def _simulate(bag: Path, config: SimulationConfig) -> list[int]:
    """Onsets of the faults, in ns."""
    return [fault.onset_ns for fault in simulate(bag, config, progress=lambda share: None)]


def test_normal_work_of_the_arm_stays_on_the_int4_path(arm: DetectorModel, tmp_path: Path) -> None:
    _simulate(tmp_path / 'normal', SimulationConfig(duration_s=60.0, kinds=(), seed=40))
    trace = run_bag(arm, tmp_path / 'normal').trace
    assert trace.is_transient[trace.is_watching].mean() < 0.02


def test_an_impact_on_the_arm_takes_the_fp16_path_within_one_hop(
    arm: DetectorModel, tmp_path: Path
) -> None:
    config = SimulationConfig(
        duration_s=60.0, kinds=(FaultKind.COLLISION,), count=2, strength=(0.7, 1.0), seed=41
    )
    onsets = _simulate(tmp_path / 'hit', config)
    assert len(onsets) == 2
    trace = run_bag(arm, tmp_path / 'hit').trace
    for onset in onsets:
        hop = int(np.searchsorted(trace.first_ns, onset, side='right')) - 1
        assert trace.is_transient[hop] or trace.is_transient[hop + 1]
        assert any(abs(found.onset_ns - onset) < 3 * 40_000_000 for found in trace.detections)


def test_the_intake_settings_of_a_live_run_may_differ_from_those_of_training(
    arm: DetectorModel, tmp_path: Path
) -> None:
    _simulate(tmp_path / 'short', SimulationConfig(duration_s=12.0, kinds=(), seed=42))
    ingest = dataclasses.replace(arm.config.ingest, lateness_s=0.5)
    config = dataclasses.replace(arm.config, ingest=ingest)
    patient = run_bag(arm, tmp_path / 'short', config).trace
    usual = run_bag(arm, tmp_path / 'short').trace
    np.testing.assert_array_equal(patient.scores, usual.scores)
