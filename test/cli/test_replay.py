from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from taolora_ros.cli.main import run


def test_dry_run_prints_onset_and_end_of_each_event(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'out.json'
    assert run(['evaluate', str(rotor_artifact), str(struck_bag), '--json', str(path)]) == 0
    detections = json.loads(path.read_text())['runs'][0]['detections']
    capsys.readouterr()
    assert run(['replay', str(rotor_artifact), str(struck_bag), '--dry-run']) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    plural = '' if len(detections) == 1 else 's'
    assert last == f'{len(detections)} event{plural}'
    assert sum('  onset  ' in line for line in lines) == len(detections)
    assert sum('  end  ' in line for line in lines) == len(detections)
    assert any(line.lstrip().startswith(('19.9', '20.')) for line in lines)


def test_dry_run_keeps_to_the_rate_asked_for(
    rotor_artifact: Path, short_bag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        waits.append(seconds)

    monkeypatch.setattr('time.sleep', sleep)
    monkeypatch.setattr('time.monotonic', lambda: now)
    arguments = ['replay', str(rotor_artifact), str(short_bag), '--dry-run', '--rate', '2']
    assert run(arguments) == 0
    assert sum(waits) == pytest.approx(0.99 / 2)  # 100 messages at 100 Hz, twice as fast


def test_replay_on_a_machine_without_ros_says_what_to_do(
    rotor_artifact: Path,
    struck_bag: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'rclpy' else found(name)
    )
    assert run(['replay', str(rotor_artifact), str(struck_bag)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.endswith('or add --dry-run')


def test_replay_of_a_missing_bag_is_one_line(
    rotor_artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['replay', str(rotor_artifact), str(tmp_path / 'none'), '--dry-run']) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'no such bag' in line
