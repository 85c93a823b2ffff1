from __future__ import annotations

import json
from pathlib import Path

import pytest

from taolora_ros.bags import BagWriter, time_of
from taolora_ros.cli.main import run
from taolora_ros.samples import NS_PER_S

BAGS = Path(__file__).parents[3] / 'shared' / 'data' / 'bags'
START = 1_700_000_000 * NS_PER_S

needs_real_bags = pytest.mark.skipif(not BAGS.is_dir(), reason=f'no recordings at {BAGS}')


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    with BagWriter(tmp_path / 'bag') as bag:
        for n in range(50):
            stamp = START + n * 20_000_000
            joints = {'name': ['elbow', 'wrist'], 'position': [float('nan')] * 2, 'effort': [n, 0]}
            header = {'stamp': time_of(stamp)}
            bag.write('/joints', 'sensor_msgs/msg/JointState', {'header': header, **joints}, stamp)
            bag.write('/heat', 'sensor_msgs/msg/Temperature', {'temperature': 20.0}, stamp)
    return tmp_path / 'bag'


def test_topics_rates_fields_and_defects_are_listed(
    bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['inspect', str(bag)]) == 0
    said = capsys.readouterr().out
    assert '100 messages of 2 topics in 1.0 s' in said
    joints = next(line for line in said.splitlines() if line.startswith('/joints'))
    assert 'sensor_msgs/msg/JointState' in joints
    assert '50 Hz' in joints
    assert 'header' in joints
    heat = next(line for line in said.splitlines() if line.startswith('/heat'))
    assert 'receipt' in heat
    assert 'all zero stamps' in heat
    assert 'effort[elbow, wrist]' in said
    assert 'position[elbow, wrist] (no finite value)' in said


def test_one_topic_is_shown_with_its_values(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['inspect', str(bag), '--topic', '/joints']) == 0
    said = capsys.readouterr().out
    assert 'effort[elbow, wrist]  0 to 49' in said
    assert '/heat' not in said


def test_findings_are_written_as_json(bag: Path, tmp_path: Path) -> None:
    assert run(['inspect', str(bag), '--json', str(tmp_path / 'out.json')]) == 0
    found = json.loads((tmp_path / 'out.json').read_text())
    assert found['messages'] == 100
    heat, joints = found['topics']
    assert (heat['topic'], heat['zero_stamps'], heat['stamp_source']) == ('/heat', 50, 'receipt')
    assert joints['fields'][0]['low'] is None


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['missing'], 'no such bag'),
        (['bag', '--topic', '/joint'], "did you mean '/joints'"),
        (['bag', '--config', 'none.yaml'], 'none.yaml: no such file'),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    bag: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(bag.parent)
    assert run(['inspect', *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ')
    assert says in line


@needs_real_bags
def test_defects_of_a_real_recording_with_types_that_are_not_installed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(['inspect', str(BAGS / 'cougars_short')]) == 0
    said = capsys.readouterr().out

    def line(topic: str) -> str:
        return next(line for line in said.splitlines() if line.startswith(topic))

    assert 'all zero stamps' in line('/coug2/battery/data')
    assert 'all zero stamps' in line('/coug2/modem_imu')
    assert 'clock -6.0 days off' in line('/coug2/pressure/data')
    assert 'frost_interfaces/msg/UCommand' in line('/coug2/controls/command')
    assert '10.08 Hz' in line('/coug2/modem_imu')
    assert 'fin[*]  thruster' in said


@needs_real_bags
@pytest.mark.parametrize(
    'name', sorted(path.name for path in BAGS.iterdir()) if BAGS.is_dir() else []
)
def test_every_real_recording_is_listed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['inspect', str(BAGS / name)]) == 0
    assert 'Hz' in capsys.readouterr().out


@needs_real_bags
def test_a_pause_does_not_spoil_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['inspect', str(BAGS / 'rosa_H100')]) == 0
    line = next(
        line for line in capsys.readouterr().out.splitlines() if line.startswith('/shaft/imu')
    )
    assert '65.35 Hz' in line
    assert '26.7 s' in line
