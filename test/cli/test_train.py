from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taolora_ros import artifact
from taolora_ros.cli.main import run


def test_trained_artifact_holds_channels_and_recordings(rotor_artifact: Path) -> None:
    model = artifact.load(rotor_artifact)
    assert model.channels == (
        '/rotor:vector.x',
        '/rotor:vector.y',
        '/rotor:vector.z',
        '/still:temperature',
    )
    assert model.trained_on == ('normal_0', 'normal_1')


def test_summary_tells_what_was_learned(trained: Any) -> None:
    assert 'recordings │ 2' in trained.out
    assert 'constant, not watched │ /still:temperature' in trained.out
    assert 'nonlinear correction │ not asked for' in trained.out
    assert 'for 60 false alarms an hour' in trained.out
    assert 'FP32' in trained.out
    assert 'reading bags' in trained.err
    assert 'warning' not in trained.err


def test_artifact_of_the_same_bags_is_the_same(trained: Any, trained_again: Any) -> None:
    assert trained_again.artifact.read_bytes() == trained.artifact.read_bytes()


def test_rate_that_the_normal_data_cannot_support_is_told(trained_oddly: Any) -> None:
    assert 'too short' in trained_oddly.out
    assert 'do not support 0.1 false alarms an hour' in trained_oddly.err


def test_bag_with_labeled_faults_is_warned_about(trained_oddly: Any) -> None:
    assert 'struck: 1.7 % of its rows are labeled anomalous' in trained_oddly.err


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('channels: []', 'channels: none named'),
        ('channels: [/rotor:vector.w]', "has no field 'w'"),
        ('channels: [/rotr:vector.x]', "did you mean '/rotor'?"),
        ('chanels: [/rotor:vector.x]', "did you mean 'channels'"),
    ],
)
def test_configuration_that_does_not_fit_is_one_line(
    text: str,
    reason: str,
    normal_bags: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / 'wrong.yaml'
    config.write_text(text)
    assert run(['train', str(normal_bags[0]), '--config', str(config)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    assert reason in line


def test_missing_bag_is_one_line(
    rotor_yaml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['train', str(tmp_path / 'none'), '--config', str(rotor_yaml)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'no such bag' in line


def test_bag_shorter_than_the_window_is_one_line(
    rotor_yaml: Path, short_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'short.safetensors'
    assert run(['train', str(short_bag), '--config', str(rotor_yaml), '-o', str(path)]) == 2
    assert 'error: ' in capsys.readouterr().err
    assert not path.exists()


def test_output_folder_that_is_not_there_is_told_before_the_work(
    rotor_yaml: Path, normal_bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'none' / 'model.safetensors'
    assert run(['train', str(normal_bags[0]), '--config', str(rotor_yaml), '-o', str(path)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'no such folder' in line
