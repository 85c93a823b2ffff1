from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.samples import NS_PER_S
from taolora_ros.simulation.faults import (
    CHANNELS,
    IMU_TOPIC,
    JOINT_TOPIC,
    START_NS,
    WRENCH_TOPIC,
    FaultKind,
    PlannedFault,
)
from taolora_ros.simulation.recording import Simulated
from taolora_ros.simulation.sensors import Stream, corrupt, measure, qualities, warm_up

ONSET_S, LASTS_S = 8.0, 1.0


def _corrupted(normal: Simulated, kind: FaultKind, target: str) -> tuple[Stream, Stream, slice]:
    """A struck stream, the same before, and the rows of the fault."""
    fault = PlannedFault(
        kind=kind, onset_s=ONSET_S, duration_s=LASTS_S, strength=0.5, target=target
    )
    after = corrupt(normal.streams, fault, np.random.default_rng(2))
    topic = target.partition(':')[0]
    (old,) = (stream for stream in normal.streams if stream.topic == topic)
    (new,) = (stream for stream in after if stream.topic == topic)
    for stream, untouched in zip(normal.streams, after, strict=True):
        assert stream is untouched or stream.topic == topic
    onset = START_NS + round(ONSET_S * NS_PER_S)
    first, last = np.searchsorted(new.stamps_ns, [onset, onset + round(LASTS_S * NS_PER_S)])
    return new, old, slice(int(first), int(last))


def test_freeze_repeats_the_last_value(normal: Simulated) -> None:
    new, old, rows = _corrupted(normal, FaultKind.SENSOR_FREEZE, '/wrench:*')
    assert np.array_equal(new.values[rows], np.tile(old.values[rows.start - 1], (100, 1)))
    assert np.array_equal(new.values[rows.stop :], old.values[rows.stop :])
    assert new.is_sent.all()


def test_freeze_of_a_joint_leaves_the_others(normal: Simulated) -> None:
    new, old, _ = _corrupted(normal, FaultKind.SENSOR_FREEZE, '/joint_states:*[elbow]')
    differs = (new.values != old.values).any(axis=0)
    struck = {CHANNELS[JOINT_TOPIC][column] for column in np.flatnonzero(differs)}
    assert struck == {f'{JOINT_TOPIC}:{f}[elbow]' for f in ('position', 'velocity', 'effort')}


def test_dropout_sends_nothing(normal: Simulated) -> None:
    new, old, rows = _corrupted(normal, FaultKind.SENSOR_DROPOUT, '/imu/data:*')
    assert not new.is_sent[rows].any()
    assert new.is_sent.sum() == len(new.is_sent) - 200
    assert np.array_equal(new.values, old.values)


def test_spikes_are_single_samples_and_the_first_marks_the_onset(normal: Simulated) -> None:
    channel = '/wrench:wrench.force.z'
    new, old, rows = _corrupted(normal, FaultKind.SENSOR_SPIKE, channel)
    column = CHANNELS[WRENCH_TOPIC].index(channel)
    difference = new.values - old.values
    hit = np.flatnonzero(difference[:, column])
    assert hit[0] == rows.start
    assert hit[-1] < rows.stop
    assert len(hit) == 4
    assert np.abs(difference[hit, column]).min() > 10.0  # N
    assert not np.delete(difference, column, axis=1).any()


def test_drift_grows_until_the_sensor_is_set_to_zero_again(normal: Simulated) -> None:
    channel = '/imu/data:angular_velocity.y'
    new, old, rows = _corrupted(normal, FaultKind.SENSOR_DRIFT, channel)
    column = CHANNELS[IMU_TOPIC].index(channel)
    bias = np.abs(new.values - old.values)[:, column]
    assert (np.diff(bias[rows]) > 0).all()
    assert bias[rows][-1] == pytest.approx(0.55 * 1.5)  # magnitude times the usual span
    assert not bias[rows.stop :].any()


def test_noise_and_rounding_are_those_of_the_table(normal: Simulated) -> None:
    stream = next(stream for stream in normal.streams if stream.topic == WRENCH_TOPIC)
    error = stream.values[:, :3] - normal.motions.wrenches[:, :3]
    assert error.std() == pytest.approx(qualities()['force'].sigma[0], rel=0.1)
    steps = stream.values[:, :3] / qualities()['force'].quantum[0]
    assert np.abs(steps - np.round(steps)).max() < 1e-6


def test_measuring_again_with_the_same_generator_gives_the_same(normal: Simulated) -> None:
    first, again = (measure(normal.motions, np.random.default_rng(6)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.values, b.values)


def test_motor_warms_toward_what_its_losses_sustain() -> None:
    held = np.full(100 * 2000, 50.0)  # Nm for 2000 s, after 30 s at rest
    warmth = warm_up(np.concatenate([np.zeros(100 * 30), held]))
    assert warmth[0] == pytest.approx(22.0)
    assert np.all(np.diff(warmth[30:]) > 0)
    assert warmth[-1] == pytest.approx(22.0 + 0.55 * 0.022 * 50.0**2, abs=0.5)
