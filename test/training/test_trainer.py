from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from taolora_ros.config import Config
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import CalibrationError
from taolora_ros.samples import Recording
from taolora_ros.training.trainer import train

Rotor = Callable[[float, int], Recording]


def test_training_twice_gives_the_same_detector(
    rotor_config: Config, rotor_model: DetectorModel, make_rotor: Rotor
) -> None:
    recordings = [make_rotor(60.0, seed) for seed in range(3)]
    again = train(
        recordings, rotor_config.channels, rotor_config, progress=lambda stage, share: None
    )
    first = rotor_model.watch.network.to_tensors()
    for name, tensor in again.watch.network.to_tensors().items():
        np.testing.assert_array_equal(tensor, first[name])
    assert again.alarms == rotor_model.alarms
    assert again.watch.limits == rotor_model.watch.limits


def test_progress_reaches_the_end_of_every_stage(rotor_config: Config, make_rotor: Rotor) -> None:
    seen: dict[str, float] = {}
    recordings = [make_rotor(45.0, seed) for seed in range(2)]
    train(recordings, rotor_config.channels, rotor_config, progress=seen.__setitem__)
    assert {'held-out folds', 'routing', 'calibration'} <= set(seen)
    assert set(seen.values()) == {1.0}


def test_recordings_without_any_change_are_refused(
    rotor_config: Config, make_rotor: Rotor
) -> None:
    recording = make_rotor(60.0, 0)
    recording.values[:] = 1.0
    with pytest.raises(CalibrationError, match='no channel varies'):
        train([recording], rotor_config.channels, rotor_config, progress=lambda stage, share: None)


def test_short_normal_data_does_not_support_a_rare_alarm(rotor_model: DetectorModel) -> None:
    # About three minutes: good for one alarm in half an hour, not for one in a day.
    assert rotor_model.alarms.supports(2.5)
    assert not rotor_model.alarms.supports(1 / 24)


def test_a_level_of_its_own_is_expected_of_every_session(rotor_model: DetectorModel) -> None:
    assert rotor_model.watch.prior.shrink[2] > 0.9
