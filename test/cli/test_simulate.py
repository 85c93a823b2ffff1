from __future__ import annotations

import json
from pathlib import Path

import pytest

from taolora_ros.bags import read_messages
from taolora_ros.cli.main import run

SHORT = ['--duration', '14', '--lead', '3', '--spacing', '3']


def test_faults_are_listed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, listed = tmp_path / 'bag', tmp_path / 'faults.json'
    arguments = ['--faults', 'friction', '--count', '1', '--json', str(listed)]
    assert run(['simulate', str(out), *SHORT, *arguments]) == 0
    said = capsys.readouterr()
    assert 'friction' in said.out
    assert '14 s, 1 faults' in said.out
    assert '100 %' in said.err
    (fault,) = json.loads(listed.read_text())
    assert fault['kind'] == 'friction'
    topics = {message.topic for message in read_messages(out)}
    assert {'/joint_states', '/imu/data', '/wrench', '/ground_truth/faults'} <= topics


def test_normal_work_has_no_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['simulate', str(tmp_path / 'bag'), '--duration', '2', '--faults', 'none']) == 0
    assert '2 s of normal work' in capsys.readouterr().out


def test_recording_is_replaced_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ['simulate', str(tmp_path / 'bag'), '--duration', '2', '--faults', 'none']
    assert run(arguments) == 0
    assert run(arguments) == 2
    assert 'exists already; add --force to replace it' in capsys.readouterr().err
    assert run([*arguments, '--force']) == 0


def test_force_leaves_what_is_no_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'thesis.tex').write_text('years of work')
    assert run(['simulate', str(tmp_path), '--duration', '2', '--force']) == 2
    assert 'is no recording, so --force leaves it alone' in capsys.readouterr().err
    assert (tmp_path / 'thesis.tex').exists()


def test_planned_faults_come_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = tmp_path / 'plan.yaml'
    planned.write_text('- {kind: sensor_freeze, onset_s: 1, duration_s: 0.5}\n')
    out = str(tmp_path / 'bag')
    assert run(['simulate', out, '--duration', '2', '--faults', str(planned)]) == 0
    assert 'sensor_freeze' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['--faults', 'frction'], "no kind 'frction'; did you mean 'friction'"),
        (['--faults', 'nowhere.yaml'], 'nowhere.yaml: no such file'),
        (['--strength', '0.9', '0.1'], 'needed: 0 <= low <= high <= 1'),
        (['--duration', '20', '--count', '50'], 'do not fit into 20 s'),
    ],
)
def test_bad_arguments_are_one_line_and_leave_nothing_behind(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    assert run(['simulate', str(tmp_path / 'bag'), *arguments]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if 'error: ' in line]
    assert complaint in line
    assert not (tmp_path / 'bag').exists()
