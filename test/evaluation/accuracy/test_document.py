from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from taolora_ros.evaluation.accuracy.document import findings_to_mapping
from taolora_ros.evaluation.accuracy.study import Findings
from taolora_ros.evaluation.accuracy.tables import print_findings
from taolora_ros.evaluation.baselines.catalog import BASELINES


@pytest.fixture(scope='module')
def document(findings: Findings) -> dict[str, Any]:
    return findings_to_mapping(findings)


def test_the_document_has_the_keys_that_the_marks_are_set_in(document: dict[str, Any]) -> None:
    assert set(document) >= {
        'recall_retained',
        'vus_pr',
        'vus_pr_fp32',
        'delta_vus_pr',
        'fp16_share_steady',
        'memory',
        'operating_point',
        'detection',
        'network_over_skip',
        'best_baseline',
        'quantization',
        'skipped',
    }
    assert {'value', 'low', 'high', 'events'} <= set(document['recall_retained'])
    assert {'recall', 'false_alarms_per_hour', 'normal_in_alarm', 'above_visibility'} <= set(
        document['operating_point']['arm']
    )


def test_retained_is_told_for_each_choice_of_thresholds(document: dict[str, Any]) -> None:
    whole = document['recall_retained']
    (arm,) = whole['by_set'].values()
    for name in ('value', 'found_routed', 'found_fp32', 'events'):
        assert arm[name] == whole[name]
    own = whole['own_thresholds']
    most = max(own['false_alarms_routed'], own['false_alarms_fp32'])
    for precision in ('routed', 'fp32'):
        assert whole[f'false_alarms_{precision}'] <= most
        assert whole[f'found_{precision}'] >= own[f'found_{precision}']


def test_the_document_is_json_without_nan(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_what_is_absent_is_named(document: dict[str, Any]) -> None:
    assert '/nowhere/rosa.npz is absent' in document['skipped']['rosa']
    assert set(document['vus_pr']) == {'arm'}


def test_the_loss_is_what_fp32_has_more(document: dict[str, Any]) -> None:
    fp32, routed = document['vus_pr_fp32']['arm'], document['vus_pr']['arm']
    assert document['delta_vus_pr']['arm'] == pytest.approx(fp32['mean'] - routed['mean'])
    assert routed['mean'] == pytest.approx(sum(routed['series'].values()) / 2)


def test_baselines_and_parts_stand_beside_ours(document: dict[str, Any]) -> None:
    parts = {'taolora', 'router', 'linear_skip', 'window_features', 'relation'}
    assert set(document['detection']) == parts | set(BASELINES)
    ahead = document['best_baseline']['arm']
    assert ahead['best'] in BASELINES
    assert set(ahead['ahead_of']) == set(BASELINES)


def test_each_way_of_quantization_has_bytes_and_recall(document: dict[str, Any]) -> None:
    rows = document['quantization']
    assert set(rows) == {'fp32', 'tao_lora'}
    assert rows['fp32']['retained'] == 1.0
    assert rows['tao_lora']['arm_bytes'] < rows['fp32']['arm_bytes']
    assert rows['tao_lora']['arm_false_alarms'] <= rows['fp32']['arm_own_false_alarms']


def test_memory_is_told_beside_that_of_full_precision(document: dict[str, Any]) -> None:
    memory = document['memory']['arm']
    assert memory['fp32_bytes'] == 2 * memory['fp16_bytes']
    assert memory['packed_over_fp32'] == memory['packed_bytes'] / memory['fp32_bytes']


def test_the_tables_show_the_sets_and_what_was_left_out(document: dict[str, Any]) -> None:
    said = io.StringIO()
    print_findings(Console(file=said, width=120), document)
    text = said.getvalue()
    assert text.startswith('recall retained: ')
    for word in ('arm', 'nearest_patches', 'tao_lora', 'left out: rosa'):
        assert word in text
