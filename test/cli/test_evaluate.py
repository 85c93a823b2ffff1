from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taolora_ros.cli.main import run


def evaluate(tmp_path: Path, *arguments: str | Path) -> dict[str, Any]:
    path = tmp_path / 'out.json'
    assert run(['evaluate', *map(str, arguments), '--json', str(path)]) == 0
    data = json.loads(path.read_text())
    assert isinstance(data, dict)
    return data


def test_strike_is_found_in_time(rotor_artifact: Path, struck_bag: Path, tmp_path: Path) -> None:
    data = evaluate(tmp_path, rotor_artifact, struck_bag)
    (run_data,) = data['runs']
    assert run_data['name'] == 'struck'
    assert (run_data['events'], run_data['events_found']) == (1, 1)
    assert 0 <= run_data['median_delay_s'] < 0.5
    assert run_data['average_precision'] > 0.5
    assert data['mean_average_precision'] == run_data['average_precision']
    assert 0 < run_data['fp16_share'] < 1
    assert run_data['counts']['received'] == 3060
    (truth,) = run_data['truths']
    found = {hit['id']: hit for hit in run_data['detections']}[truth['found_by']]
    assert truth['onset_ns'] - found['onset_ns'] <= 40_000_000  # at most one token early
    assert sum(found['contributions'].values()) == pytest.approx(1.0)
    assert max(found['contributions'], key=found['contributions'].get) in (
        '/rotor:vector.x',
        '/rotor:vector.y',
    )


def test_table_has_a_line_a_run_and_one_for_all(
    rotor_artifact: Path,
    struck_bag: Path,
    normal_bags: list[Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(['evaluate', str(rotor_artifact), str(struck_bag), str(normal_bags[0])]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('│')]
    names = [row.split('│')[1].strip() for row in rows]
    assert names == ['struck', 'normal_0', 'all']
    assert '1 of 1' in rows[0]
    assert '0 of 0' in rows[1]


def test_bag_without_labels_has_its_events_listed(
    rotor_artifact: Path, unlabeled_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = evaluate(tmp_path, rotor_artifact, unlabeled_bag)
    (run_data,) = data['runs']
    assert run_data['average_precision'] is None
    assert run_data['events'] is None
    assert run_data['false_alarms_per_hour'] is None
    assert run_data['detections']
    out = capsys.readouterr().out
    assert 'no labels' in out
    assert '/rotor:vector.' in out


def test_same_bag_gives_the_same_figures(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path
) -> None:
    first, second = (evaluate(tmp_path, rotor_artifact, struck_bag)['runs'][0] for _ in range(2))
    assert {**first, 'wall_s': 0} == {**second, 'wall_s': 0}


def test_configuration_changes_the_threshold_alone(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path
) -> None:
    config = tmp_path / 'lenient.yaml'
    config.write_text('detection: {false_alarms_per_hour: 3600.0}\n')
    plain = evaluate(tmp_path, rotor_artifact, struck_bag)['runs'][0]
    lenient = evaluate(tmp_path, rotor_artifact, struck_bag, '--config', config)['runs'][0]
    assert lenient['average_precision'] == plain['average_precision']
    assert lenient['normal_in_alarm'] > plain['normal_in_alarm']


def test_report_is_written(rotor_artifact: Path, struck_bag: Path, tmp_path: Path) -> None:
    path = tmp_path / 'report.html'
    arguments = ['evaluate', str(rotor_artifact), str(struck_bag), '--report', str(path)]
    assert run(arguments) == 0
    page = path.read_text(encoding='utf-8')
    assert 'data:image/svg+xml;base64,' in page
    assert 'false alarms an hour' in page
    assert 'Events found against false alarms' in page
    assert '4 bits against FP32' in page


def test_fp32_twin_runs_beside_the_4_bit_model(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = evaluate(tmp_path, rotor_artifact, struck_bag)
    (run_data,) = data['runs']
    assert data['events_found_fp32'] == run_data['events_found_fp32'] == 1
    assert run_data['average_precision_fp32'] > 0.5
    fidelity = data['fidelity']
    assert fidelity['hops'] == run_data['tokens_watched']
    assert 0.5 < fidelity['score_correlation'] < 1.0  # the same but for rounding
    assert 0 < fidelity['p95_difference'] < fidelity['largest_difference']
    assert (fidelity['events_both'], fidelity['events_fp32_alone']) == (1, 0)
    assert '4 bits against FP32' in capsys.readouterr().out


def test_fp32_twin_can_be_left_out(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = evaluate(tmp_path, rotor_artifact, struck_bag, '--no-fp32')
    assert data['fidelity'] is None
    assert run(['evaluate', str(rotor_artifact), str(struck_bag)]) == 0  # nobody asked for it
    assert '4 bits against FP32' not in capsys.readouterr().out


def test_operating_curve_passes_through_what_was_found(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path
) -> None:
    data = evaluate(tmp_path, rotor_artifact, struck_bag, '--no-fp32')
    levels = data['operating_curve']
    assert [level['threshold'] for level in levels] == sorted(
        level['threshold'] for level in levels
    )
    assert levels[-1]['events_found'] == 0
    assert any(
        (level['events_found'], level['false_alarms'])
        == (data['events_found'], data['false_alarms'])
        for level in levels
    )


def test_bag_shorter_than_the_warm_up_is_told(
    rotor_artifact: Path, short_bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['evaluate', str(rotor_artifact), str(short_bag)]) == 0
    assert 'nothing was scored' in ' '.join(capsys.readouterr().out.split())


def test_report_of_a_bag_without_one_token_says_so(
    rotor_artifact: Path, short_bag: Path, tmp_path: Path
) -> None:
    path = tmp_path / 'report.html'
    arguments = ['evaluate', str(rotor_artifact), str(short_bag), '--report', str(path)]
    assert run(arguments) == 0
    assert path.exists()


@pytest.mark.parametrize(
    ('more', 'reason'),
    [
        (['--labels', '/ground_truth/anomly:data'], "no topic '/ground_truth/anomly'"),
        (['--labels', '/ground_truth/anomaly:dta'], "'dta'"),
    ],
)
def test_labels_that_are_not_there_are_one_line(
    more: list[str],
    reason: str,
    rotor_artifact: Path,
    struck_bag: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(['evaluate', str(rotor_artifact), str(struck_bag), *more]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    assert reason in line


def test_artifact_for_other_channels_names_what_is_missing(
    rotor_artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Path(__file__).parents[3] / 'shared' / 'data' / 'bags' / 'rosa_N204'
    if not bag.exists():
        pytest.skip(f'{bag} is not on this machine')
    assert run(['evaluate', str(rotor_artifact), str(bag)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "no topic '/rotor'" in line


def test_damaged_artifact_is_one_line(
    rotor_artifact: Path, struck_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / 'damaged.safetensors'
    content = bytearray(rotor_artifact.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    assert run(['evaluate', str(damaged), str(struck_bag)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'checksum' in line
