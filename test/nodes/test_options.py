from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from taolora_ros.config import flat
from taolora_ros.errors import ConfigError
from taolora_ros.nodes.options import DetectorOptions, HealthOptions
from taolora_ros.nodes.parameters import settings_of

EXAMPLE = Path(__file__).parents[2] / 'config' / 'ros' / 'detector.params.yaml'


def test_timeouts_are_read_by_topic() -> None:
    options = HealthOptions(timeouts=('/imu/data=0.5', '/odom=3'))
    assert options.timeout_by_topic == {'/imu/data': 0.5, '/odom': 3.0}


@pytest.mark.parametrize('entry', ['/imu', '/imu=', '=3', '/imu=soon', '/imu=0', '/imu=-1'])
def test_a_timeout_that_is_none_is_refused_with_an_example(entry: str) -> None:
    with pytest.raises(ConfigError, match=r'timeouts: .* is none; write e\.g\. /imu/data=0\.5'):
        HealthOptions(timeouts=(entry,))


def test_every_option_is_a_described_parameter() -> None:
    described = {entry.name: entry.descriptor for entry in settings_of(DetectorOptions)}
    assert set(described) == set(flat(DetectorOptions()))
    assert all(len(entry.description) > 10 for entry in described.values())
    assert described['intake.publishers'].additional_constraints == 'one of merge, refuse'


def test_the_example_of_a_parameter_file_holds_the_defaults() -> None:
    text = EXAMPLE.read_text(encoding='utf-8')
    given = yaml.safe_load(text)['/**']['ros__parameters']
    defaults = flat(DetectorOptions())
    assert given == {name: defaults[name] for name in given}
    assert all(name in text for name in defaults)
