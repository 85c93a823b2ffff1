"""The findings as tables on a terminal, from their plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from taolora_ros.evaluation.phrases import UNDEFINED, percent, ratio, seconds

# Of `detection` in the order in which sets are shown.
_COLUMNS = ('rosa', 'rosa_recorded', 'skab', 'nab', 'ur3', 'arm')


def print_findings(console: Console, data: Mapping[str, Any]) -> None:
    """Recall retained, sets, detection, quantization, and what was left out.

    Args:
        console: where to.
        data: what `document.findings_to_mapping` gives.
    """
    kept = data['recall_retained']
    console.print(
        f'recall retained: {_span(kept, "value")}, {kept["found_routed"]} of the '
        f'{kept["found_fp32"]} events that FP32 finds, of {kept["events"]}',
        highlight=False,
    )
    console.print(_sets(data))
    console.print(_detection(data['detection']))
    if data['quantization']:
        console.print(_quantization(data['quantization']))
    for name, why in data['skipped'].items():
        console.print(f'left out: {name}: {why}', style='yellow', highlight=False, markup=False)


def _sets(data: Mapping[str, Any]) -> Table:
    table = _table(
        'set',
        'VUS\nPR',
        'below\nFP32',
        'events\nfound',
        'false\n/h',
        'alarm\nnormal',
        'alarm\nbefore',
        'delay',
        'FP16',
        'packed',
    )
    for name, point in data['operating_point'].items():
        volume = data['vus_pr'][name]
        table.add_row(
            name,
            ratio(volume and volume['mean']),
            ratio(data['delta_vus_pr'].get(name), digits=4),
            f'{point["events_found"]}/{point["events"]}',
            ratio(point['false_alarms_per_hour'], digits=2),
            percent(point['normal_in_alarm']),
            percent(point['before_fault_in_alarm']),
            seconds(point['median_delay_s']),
            percent(data['fp16_share_steady'][name]),
            ratio(data['memory'][name]['packed_over_fp16']),
        )
    return table


def _detection(detection: Mapping[str, Any]) -> Table:
    shown = [name for name in _COLUMNS if any(name in row for row in detection.values())]
    table = _table('VUS-PR', *(name.replace('_', '\n') for name in shown))
    for method, row in detection.items():
        table.add_row(method, *(ratio(row[n]['mean']) if n in row else UNDEFINED for n in shown))
    return table


def _quantization(quantization: Mapping[str, Any]) -> Table:
    table = _table(
        'quantization', 'kB', 'error\nsteady', 'error\ntransient', 'recall\narm', 'retained'
    )
    for method, row in quantization.items():
        size = row.get('bytes', row.get('arm_bytes'))
        table.add_row(
            method,
            ratio(size and size / 1000, digits=1),
            ratio(row.get('error_steady')),
            ratio(row.get('error_transient')),
            ratio(row.get('recall_arm')),
            ratio(row.get('retained')),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify='right' if number else 'left', overflow='fold')
    return table


def _span(interval: Mapping[str, Any] | None, mean: str) -> str:
    if interval is None or interval[mean] is None:
        return UNDEFINED
    if interval['low'] is None:
        return ratio(interval[mean])
    return f'{ratio(interval[mean])} ({ratio(interval["low"])} to {ratio(interval["high"])})'
