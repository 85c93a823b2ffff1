from __future__ import annotations

from pathlib import Path

import pytest

from taolora_ros.evaluation.speed.ingest import (
    DRAINED,
    PLAIN,
    Heard,
    IngestFindings,
    IngestPlan,
    measure_ingest,
)


def heard(kind: str, *, cpu_us: float, sent: int = 100, received: int = 100) -> Heard:
    return Heard(
        kind=kind,
        rate_hz=15_000.0,
        sent=sent,
        received=received,
        repeated=0,
        cpu_us=cpu_us,
        reader_us=cpu_us - 10.0,
    )


@pytest.fixture
def findings() -> IngestFindings:
    compared = (
        heard(DRAINED, cpu_us=20.0),
        heard(PLAIN, cpu_us=200.0, received=90),
        heard(PLAIN, cpu_us=300.0, received=95),
        heard(DRAINED, cpu_us=30.0),
    )
    return IngestFindings(compared, heard(DRAINED, cpu_us=10.0, sent=900, received=899))


def test_costs_are_medians_over_rounds_and_their_ratio(findings: IngestFindings) -> None:
    figures = findings.to_mapping()
    assert figures['cpu_us_per_message'] == 25.0
    assert figures['plain_rclpy_cpu_us_per_message'] == 250.0
    assert figures['ratio_plain_rclpy'] == 10.0
    assert figures['stress_cpu_us_per_message'] == 10.0
    assert figures['reader_us_per_message'] == 15.0
    assert figures['plain_rclpy_reader_us_per_message'] == 240.0
    assert figures['ratio_plain_rclpy_reader'] == 16.0


def test_messages_of_our_intake_are_counted_at_both_rates(findings: IngestFindings) -> None:
    figures = findings.to_mapping()
    assert (figures['sent'], figures['received'], figures['lost']) == (1_100, 1_099, 1)
    assert (figures['plain_rclpy_sent'], figures['plain_rclpy_lost']) == (200, 15)
    assert [row['lost'] for row in figures['by_run']] == [0, 10, 5, 0, 1]


def test_a_single_lost_message_misses_its_target(findings: IngestFindings) -> None:
    met = {target.figure: target.is_met for target in findings.targets()}
    assert met == {
        'cpu_us_per_message': True,
        'ratio_plain_rclpy': True,
        'lost': False,
        'rate_hz': True,
    }


def test_every_number_is_counted_over_dds(tmp_path: Path) -> None:
    pytest.importorskip('rclpy', reason='messages travel over ROS 2')
    plan = IngestPlan(
        rate_hz=300,
        rounds=1,
        seconds=2.0,
        stress_publishers=2,
        stress_publisher_hz=300,
        stress_seconds=2.0,
    )
    shares: list[float] = []
    findings = measure_ingest(plan, tmp_path, progress=shares.append)
    assert [each.kind for each in findings.compared] == [DRAINED, PLAIN]
    assert [each.sent for each in (*findings.compared, findings.stress)] == [600, 600, 1200]
    for each in (*findings.compared, findings.stress):
        assert each.received + each.lost == each.sent
        assert each.repeated == each.lost == 0
        assert each.cpu_us > each.reader_us > 0.0
    assert shares == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
