"""`taolora inspect`: what a bag holds, and what is wrong with its stamps."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from taolora_ros.bags import describe
from taolora_ros.config import IngestConfig, read_config
from taolora_ros.errors import ChannelError, nearest
from taolora_ros.ingest.survey import FieldSummary, TopicSummary

_LISTED_NAMES = 8


@click.command(name='inspect')
@click.argument('bag', type=click.Path(path_type=Path))
@click.option('--topic', 'chosen', multiple=True, help='Show this topic alone, with its values.')
@click.option(
    '--config',
    'config_path',
    type=click.Path(path_type=Path),
    help='Settings whose ingest.max_clock_skew_s tells which clocks are off.',
)
@click.option(
    '--json', 'json_path', type=click.Path(path_type=Path), help='Write the findings here, too.'
)
def command(
    bag: Path, chosen: tuple[str, ...], config_path: Path | None, json_path: Path | None
) -> None:
    """List what BAG holds: topics, types, rates, numeric fields, defects of its stamps.

    Message types need not be installed where the bag defines them (mcap does).
    """
    config = read_config(config_path).ingest if config_path else IngestConfig()
    summary = describe(bag, config)
    known = [topic.topic for topic in summary.topics]
    for name in chosen:
        if name not in known:
            raise ChannelError(f'no topic {name!r} in {bag}; {nearest(name, known)}')
    shown = [topic for topic in summary.topics if not chosen or topic.topic in chosen]
    console = Console(width=None if Console().is_terminal else 160)
    console.print(
        f'{bag}: {summary.messages} messages of {len(summary.topics)} topics '
        f'in {summary.duration_s:.1f} s',
        highlight=False,
    )
    console.print(_topic_table(shown))
    console.print(_field_table(shown, with_values=bool(chosen)))
    if json_path:
        json_path.write_text(json.dumps(_plain(summary), indent=2) + '\n', encoding='utf-8')


def stamp_findings(topic: TopicSummary) -> str:
    """The defects of a topic's stamps, in words; empty where there are none."""
    findings = []
    if topic.zero_stamps:
        findings.append(f'{_share(topic.zero_stamps, topic.messages)} zero stamps')
    if topic.skewed_stamps:
        findings.append(
            f'{_share(topic.skewed_stamps, topic.messages)} clock {_duration(topic.skew_s)} off'
        )
    if topic.backward_stamps:
        findings.append(f'{topic.backward_stamps} going back')
    if topic.repeated_stamps:
        findings.append(f'{topic.repeated_stamps} repeated')
    if topic.unreadable:
        findings.append(f'{topic.unreadable} unreadable')
    return ', '.join(findings)


def _topic_table(topics: list[TopicSummary]) -> Table:
    table = Table(box=None, pad_edge=False, header_style='bold')
    table.add_column('topic', overflow='fold')
    table.add_column('type', overflow='fold')
    table.add_column('messages', justify='right')
    table.add_column('rate', justify='right')
    table.add_column('longest pause', justify='right')
    table.add_column('dated by')
    table.add_column('stamp defects', overflow='fold')
    for topic in topics:
        source = topic.stamp_source.value if topic.has_header else 'receipt'
        table.add_row(
            topic.topic,
            topic.type_name,
            str(topic.messages),
            f'{topic.rate_hz:.4g} Hz' if topic.rate_hz else '',
            f'{topic.longest_pause_s:.3g} s' if topic.messages > 1 else '',
            source if topic.messages else '',
            Text(stamp_findings(topic), style='yellow'),
        )
    return table


def _field_table(topics: list[TopicSummary], *, with_values: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style='bold', padding=(1, 1, 0, 0))
    table.add_column('topic', overflow='fold')
    table.add_column('numeric fields', overflow='fold')
    for topic in topics:
        if topic.problem:
            table.add_row(topic.topic, Text(topic.problem, style='yellow'))
        elif topic.fields:
            words = [_field(field, topic, with_values=with_values) for field in topic.fields]
            table.add_row(topic.topic, Text(('\n' if with_values else '  ').join(words)))
    return table


def _field(field: FieldSummary, topic: TopicSummary, *, with_values: bool) -> str:
    names = ', '.join(field.names[:_LISTED_NAMES])
    more = ', …' if len(field.names) > _LISTED_NAMES else ''
    text = field.path.replace('[*]', f'[{names}{more}]') if names else field.path
    if topic.messages and field.non_finite_share == 1.0:
        return f'{text} (no finite value)'
    if with_values and topic.messages:
        lacking = f', {field.non_finite_share:.1%} missing' if field.non_finite_share else ''
        return f'{text}  {field.low:.6g} to {field.high:.6g}{lacking}'
    return text


def _share(count: int, total: int) -> str:
    return 'all' if count == total else f'{count} of {total}'


def _duration(seconds: float) -> str:
    for unit, length in (('days', 86400.0), ('h', 3600.0), ('min', 60.0)):
        if abs(seconds) >= 2 * length:
            return f'{seconds / length:+.1f} {unit}'
    return f'{seconds:+.1f} s'


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
