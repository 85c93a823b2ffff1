"""The benches of the live graph: what they say and write, with nothing measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taolora_ros.cli import bench_ingest, bench_pipeline
from taolora_ros.cli.main import run
from taolora_ros.evaluation.speed.ingest import Heard, IngestFindings, IngestPlan
from taolora_ros.evaluation.speed.pipeline import Delay, Matching, PipelineFindings
from taolora_ros.evaluation.speed.struck_machine import BlowSchedule

pytest.importorskip('rclpy', reason='without it the benches measure nothing')


def test_ingest_writes_costs_and_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plans: list[IngestPlan] = []

    def measure(plan: IngestPlan, folder: Path, **options: object) -> IngestFindings:
        plans.append(plan)
        heard = [Heard(kind, 15_000.0, 50, 50, 0, 20.0, 15.0) for kind in ('drained', 'plain')]
        return IngestFindings(tuple(heard), heard[0])

    monkeypatch.setattr(bench_ingest, 'measure_ingest', measure)
    path = tmp_path / 'ingest.json'
    sizes = ['--rounds', '2', '--seconds', '3', '--stress-seconds', '4']
    assert run(['bench', 'ingest', *sizes, '--json', str(path)]) == 0
    assert plans == [IngestPlan(rounds=2, seconds=3.0, stress_seconds=4.0)]
    record = json.loads(path.read_text())
    results = record['results']
    assert results['cpu_us_per_message'] == results['plain_rclpy_cpu_us_per_message'] == 20.0
    assert results['ratio_plain_rclpy'] == 1.0
    assert (results['sent'], results['received'], results['lost']) == (100, 100, 0)
    assert record['settings']['queue'] == 10_000


def test_pipeline_divides_the_blows_among_the_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[int, BlowSchedule]] = []

    def measure(machines: int, schedule: BlowSchedule) -> PipelineFindings:
        asked.append((machines, schedule))
        return PipelineFindings((Matching((Delay(82_000_000, 1_000_000),), 0, 0),), (0.05,), 0.1)

    monkeypatch.setattr(bench_pipeline, 'measured', measure)
    path = tmp_path / 'pipeline.json'
    sizes = ['--impacts', '10', '--machines', '3']
    assert run(['bench', 'pipeline', *sizes, '--json', str(path)]) == 0
    assert asked == [(3, BlowSchedule(4))]
    results = json.loads(path.read_text())['results']
    assert results['latency_over_hop_p50_ms'] == results['latency_over_hop_p99_ms'] == 2.0
    assert (results['events_sent'], results['events_found'], results['cpu_share']) == (1, 1, 0.05)
