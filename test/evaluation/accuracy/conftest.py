"""A rotor in the arm's place: normal recordings, and some in which it is struck."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.settings import Scale
from taolora_ros.evaluation.accuracy.study import Findings, Request, run_study
from taolora_ros.evaluation.accuracy.subjects import (
    ArmJob,
    ArmRecording,
    Case,
    Subject,
    arm_subject,
)
from taolora_ros.evaluation.accuracy.workers import Workers
from taolora_ros.evaluation.events import Truth
from taolora_ros.samples import Recording

CHANNELS = ('/rotor:x', '/rotor:y', '/rotor:load', '/rotor:constant')
TINY = Scale(
    arm_training=3,
    arm_faulty=2,
    arm_normal=1,
    peer_recordings=1,
    rounded_faulty=1,
    rounded_normal=1,
    rounded_series=1,
    quantizers=('fp32', 'tao_lora'),
    has_correction=False,
)
STRIKES = ((1200, 1240, 1.0), (1800, 1840, 0.001))  # first row, end, strength

MakeRotor = Callable[[float, int], Recording]


def strike(recording: Recording) -> ArmRecording:
    """A strong strike, and one too weak to be seen."""
    values = recording.values.copy()
    for start, end, strength in STRIKES:
        values[start:end, :2] += 40.0 * strength * (-1.0) ** np.arange(end - start)[:, None]
    stamps = recording.stamps_ns
    return ArmRecording(
        dataclasses.replace(recording, values=values),
        tuple(Truth('collision', int(stamps[a]), int(stamps[b])) for a, b, _ in STRIKES),
        tuple(strength for _, _, strength in STRIKES),
    )


@pytest.fixture(scope='session')
def record_rotor(make_rotor: MakeRotor) -> Callable[[ArmJob], ArmRecording]:
    def record(job: ArmJob) -> ArmRecording:
        seconds = 40.0 if job.name.startswith('train') else 25.0
        recording = dataclasses.replace(make_rotor(seconds, job.seed), name=job.name)
        return strike(recording) if job.strength else ArmRecording(recording, (), ())

    return record


@pytest.fixture(scope='session')
def findings(record_rotor: Callable[[ArmJob], ArmRecording]) -> Findings:
    request = Request(
        scale=TINY,
        sets=('rosa', 'arm'),
        data=Path('/nowhere'),
        record_arm=record_rotor,
        arm_channels=CHANNELS,
    )
    with Workers(1, lambda stage, done, total: None) as workers:
        return run_study(request, workers)


@pytest.fixture(scope='session')
def rotor_subject(make_rotor: MakeRotor, rotor_model: DetectorModel) -> Subject:
    """What the rotor's model was trained on, and a recording with strikes and one without."""
    subject = arm_subject(
        [ArmRecording(make_rotor(60.0, seed), (), ()) for seed in range(3)],
        [strike(make_rotor(25.0, 8)), ArmRecording(make_rotor(25.0, 9), (), ())],
        CHANNELS,
    )
    return dataclasses.replace(subject, config=rotor_model.config)


@pytest.fixture(scope='session')
def struck(rotor_subject: Subject) -> Case:
    return rotor_subject.cases[0]
