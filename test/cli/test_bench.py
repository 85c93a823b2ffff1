from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from taolora_ros.cli import bench_accuracy
from taolora_ros.cli.bench import BENCHES
from taolora_ros.cli.bench_accuracy import ARM_CHANNELS, record_arm
from taolora_ros.cli.main import run
from taolora_ros.evaluation.accuracy import settings
from taolora_ros.evaluation.accuracy.rounding_study import RoundingFindings
from taolora_ros.evaluation.accuracy.study import Findings, Request
from taolora_ros.evaluation.accuracy.subjects import ArmJob
from taolora_ros.evaluation.accuracy.workers import Workers


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Requests that came through; nothing is measured."""
    requests: list[Request] = []

    def run_study(request: Request, workers: Workers) -> Findings:
        requests.append(request)
        return Findings({}, {}, RoundingFindings({}, {}), {}, {'rosa': 'absent'})

    monkeypatch.setattr(bench_accuracy, 'run_study', run_study)
    return requests


def test_help_lists_the_benches(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['bench', '--help']) == 0
    listed = capsys.readouterr().out
    for name in BENCHES:
        assert f'  {name} ' in listed


def test_a_mistyped_bench_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['bench', 'acuracy']) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: no bench 'acuracy'; did you mean 'accuracy'?")
    assert err.count('\n') == 1


def test_all_sets_are_measured_in_full_unless_told_otherwise(asked: list[Request]) -> None:
    assert run(['bench', 'accuracy']) == 0
    (request,) = asked
    assert request.scale is settings.FULL
    assert request.sets == ('rosa', 'skab', 'nab', 'ur3', 'arm')
    assert request.arm_channels == ARM_CHANNELS


def test_quick_measures_less_of_the_sets_named(asked: list[Request], tmp_path: Path) -> None:
    arguments = ['--quick', '--sets', 'arm, skab', '--data', str(tmp_path), '--workers', '1']
    assert run(['bench', 'accuracy', *arguments]) == 0
    (request,) = asked
    assert request.scale is settings.QUICK
    assert request.sets == ('skab', 'arm')
    assert request.data == tmp_path


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['--sets', 'rosa,skap'], "error: --sets: no set 'skap'; did you mean 'skab'"),
        (['--sets', ','], 'error: --sets: none named; known: rosa, skab, nab, ur3, arm'),
        (['--json', '/nowhere/out.json'], 'error: /nowhere: no such folder for out.json'),
    ],
)
def test_what_cannot_be_done_is_told_before_the_work(
    arguments: list[str], said: str, asked: list[Request], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['bench', 'accuracy', *arguments]) == 2
    assert capsys.readouterr().err.startswith(said)
    assert not asked


def test_the_json_says_how_it_came_about(asked: list[Request], tmp_path: Path) -> None:
    path = tmp_path / 'out.json'
    assert run(['bench', 'accuracy', '--quick', '--json', str(path)]) == 0
    data = json.loads(path.read_text())
    assert data['settings']['quick'] is True
    assert data['settings']['scale'] == {
        **dataclasses.asdict(settings.QUICK),
        'quantizers': list(settings.QUICK.quantizers or ()),
    }
    assert data['machine']['cores'] >= 1
    assert {'taolora_ros', 'python', 'numpy', 'torch', 'aeon'} <= set(data['versions'])
    assert data['command'].startswith('taolora')
    assert data['skipped'] == {'rosa': 'absent'}


def test_a_recording_of_the_arm_comes_with_its_faults() -> None:
    entry = record_arm(ArmJob('fault', 41, 25.0, (0.2, 0.4)))
    assert entry.recording.name == 'fault'
    assert entry.recording.values.shape[1] == len(ARM_CHANNELS)
    assert 2390 < len(entry.recording.values) <= 2500  # from the first word of the slowest topic
    assert len(entry.truths) == len(entry.strengths) > 0
    assert all(0.2 <= strength <= 0.4 for strength in entry.strengths)
    onsets = [truth.onset_ns for truth in entry.truths]
    assert onsets == sorted(onsets)


def test_normal_work_of_the_arm_has_no_faults() -> None:
    entry = record_arm(ArmJob('normal', 42, 3.0, None))
    assert entry.truths == entry.strengths == ()
