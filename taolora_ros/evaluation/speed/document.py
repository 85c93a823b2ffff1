"""docs/benchmarks.md: what the benches wrote as JSON, an estimate, and the kernels' resources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from taolora_ros.detection.watch import WatchModel
from taolora_ros.errors import InputError
from taolora_ros.evaluation.speed.tables import VERDICTS, cell, tables_of
from taolora_ros.hardware import roofline

# What each bench does, in the order of the page.
_HOW = {
    'engine': 'One hop of one stream, one thread each, in turn, steady and transient tokens '
    'mixed. Ours takes a token a hop, and runs the relation as well, as a detector does; peers '
    'have none. Peers run the same network over their window of 64 tokens at every hop, which is '
    'what the same answer takes without state. They get their best form: one graph, all that can '
    'be folded is folded, skip and head of the newest token alone. '
    'Every call is timed through Python; ratios are of medians.',
    'jitter': 'Every hop of a long run is timed, the relation included; transients come in '
    'bursts. Of several runs, the one with the median ratio of transient to steady hops is '
    'reported.',
    'memory': 'The model as stored (`packed`: both paths of network and relation), the buffers of '
    'a detector on the CPU by the memory plan, which are bounds, and the process of a detector '
    'node after it has worked off a recording over DDS. MB are 10⁶ bytes.',
    'ingest': 'Imu messages over DDS, publishers and subscriber a process each, every number '
    'counted. Ours (`drained`: the intake of the detector, three fields read from the bytes) and '
    'a plain rclpy subscriber (`plain`: typed callback, default executor, the same three fields) '
    'take turns on one topic; then ours alone takes three topics. CPU time is that of the '
    'process, all threads, from the first 0.1 s of messages on; `reader` is the part of the '
    'thread that reads, and the rest is what the threads of DDS take to receive, on both sides.',
    'pipeline': 'Machines of 21 channels (an Imu, a JointState of five joints) at 100 Hz, watched '
    'live by a detector process each, with the network above and the default parameters of the '
    'node; a blow every 2.8 s on each, in turn, because an event lasts 1.3 s and is closed 1.3 s '
    'later. '
    'A blow at row r of a hop of P rows has to wait for (P − r) periods by design, one hop at '
    'most.',
    'streams': 'Hops of S streams of the same model in one call on one thread, the relation '
    'included, all tokens steady, in turn.',
    'offline': 'A whole recording, one thread each, in turn: ours some tens of tokens at a time, '
    'to the bits that hops give; torch in pieces of 512 tokens, its fastest. Both run the same '
    'network; ours once more with the relation, which a detector runs as well.',
    'kernels': 'The dual-path layer alone on a GPU, by CUDA events around replays of CUDA graphs, '
    'in turn. Against torch.compile ours rounds its rows as well.',
    'stream-step': 'One hop on a GPU, from host memory to host memory, beside CUDA graphs of FP16 '
    'torch on the same network, in turn. Ours runs the relation as well; torch has none.',
}
_MISSING = 'not run'
_PARTS: dict[str, type | tuple[type, ...]] = {  # of a record, and their types
    'bench': str,
    'command': str,
    'date': str,
    'versions': dict,
    'hardware': dict,
    'settings': dict,
    'absence': str,
    'results': (dict, type(None)),
    'targets': list,
}
_TARGET_KEYS = {'words', 'measured', 'is_met', 'bound'}
_US_PER_S = 1e6


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What the benches wrote, by bench.

    Raises:
        InputError: the folder holds no such file, or one that is none; says what is wrong.
    """
    records: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob('*.json')):
        try:
            record = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise _foreign(path, f'no JSON: {error}') from None
        if wrong := _fault(record):
            raise _foreign(path, wrong)
        records[record['bench']] = record
    if not records:
        raise InputError(f'{folder}: no JSON files; make them with `taolora bench … --json`')
    return records


def _foreign(path: Path, why: str) -> InputError:
    return InputError(
        f'{path}: not written by a bench of speed ({why}); make it with '
        f'`taolora bench {path.stem} --json {path}`'
    )


def _fault(record: Any) -> str:
    """What keeps a record from being one; empty where nothing does."""
    if not isinstance(record, dict):
        return 'no mapping'
    for key, kinds in _PARTS.items():
        if key not in record:
            return f'{key!r} is missing'
        if not isinstance(record[key], kinds):
            return f'{key!r} is {record[key]!r:.40}'
    for number, target in enumerate(record['targets']):
        if not isinstance(target, dict) or (missing := _TARGET_KEYS - target.keys()):
            lacks = ', '.join(sorted(missing)) if isinstance(target, dict) else 'all'
            return f"'targets' {number} lacks {lacks}"
    return ''


def markdown(
    records: Mapping[str, Mapping[str, Any]], model: WatchModel, *, resources: str
) -> str:
    """The page.

    Args:
        records: what the benches wrote, by bench.
        model: the network of patch 8, for the estimate.
        resources: of the compiled GPU kernels, a table, or why there is none.
    """
    parts = [
        '# Measured speed and memory',
        'Written by `taolora bench document docs/benchmarks`, not by hand: edits get lost. Where '
        'a machine had other work (its load stands beside the figures), ratios of medians within '
        'one run say more than times.',
        'The model is that of patch 8: 21 channels, tokens of 8 rows, a window of 64 tokens, 128 '
        'features, 3 blocks. It is larger than what the configuration makes by default, patch 4.',
        '## Targets',
        _table(_summary(records), is_text=True),
        *(part for bench in _HOW for part in _section(bench, records.get(bench))),
        *_estimate(model),
        '## Resources of the GPU kernels on 8 SMs of capability 8.7 (Orin): compiled, not run',
        'Registers, spills and shared memory are read from the compiled binaries; occupancy is an '
        'estimate by the limits of a multiprocessor.',
        resources,
    ]
    return '\n\n'.join(parts) + '\n'


def _summary(records: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    rows = [['bench', 'target', 'bound', 'measured', '']]
    for bench in _HOW:
        record = records.get(bench)
        if record is None or record['results'] is None:
            rows.append([bench, '', '', '', record['absence'] if record else _MISSING])
            continue
        for target in record['targets']:
            verdict = VERDICTS[target['is_met']]
            verdict = f'**{verdict}**' if target['is_met'] is False else verdict
            measured = cell(target['measured'])
            rows.append([bench, target['words'], target['bound'], measured, verdict])
    return rows


def _section(bench: str, record: Mapping[str, Any] | None) -> Iterator[str]:
    yield f'## {bench}'
    yield _HOW[bench]
    if record is None:
        yield f'{_MISSING.capitalize()}.'
        return
    if record['results'] is None:
        yield f'Not measured: {record["absence"]}.'
        return
    hardware = '; '.join(f'{name}: {value}' for name, value in record['hardware'].items())
    versions = ', '.join(f'{name} {value}' for name, value in record['versions'].items() if value)
    settings = ', '.join(f'{name} {value}' for name, value in record['settings'].items())
    yield f'`{record["command"]}`, {record["date"]}.'
    yield f'{hardware}.'
    yield f'{versions}.'
    yield f'Sizes: {settings}.'
    for table in tables_of({**record, 'targets': []}):
        yield _table(table)


def _estimate(model: WatchModel) -> Iterator[str]:
    yield '## Roofline of a Jetson Orin Nano: an estimate, nothing of it is measured'
    yield '    t = launches · t₀ + max(bytes / β, operations / θ)'
    yield (
        'β = n·64·f bytes/s from L2 where all that the GPU holds stays there, else the '
        "memory's if that is less; θ = n·o·f operations/s; t₀ = "
        f'{roofline.LAUNCH_S * _US_PER_S:g} µs a launch, assumed. n multiprocessors that work, f '
        'their clock, o dense INT8 operations of each a clock. Synchronization within a launch is '
        'left out, so a real hop takes longer.'
    )
    head = ['board', 'streams', 'n', 'route', 'bytes', 'operations', 'launches', 'in L2', 'µs']
    rows = [head]
    for board in (roofline.ORIN_NANO, roofline.ORIN_NANO_SUPER):
        for streams, working in ((1, 1), (1, None), (256, None)):
            for is_transient in (False, True):
                hop = roofline.estimate_hop(
                    model,
                    board,
                    streams=streams,
                    multiprocessors=working,
                    is_transient=is_transient,
                )
                rows.append(_hop_row(hop))
    yield _table(rows)
    for board in (roofline.ORIN_NANO, roofline.ORIN_NANO_SUPER):
        yield f'{board.name}: {board.source}.'


def _hop_row(hop: roofline.HopEstimate) -> list[str]:
    return [
        hop.board.name,
        *map(cell, (hop.streams, hop.multiprocessors)),
        'both paths' if hop.is_transient else 'INT4',
        *map(cell, (hop.bytes_read, hop.operations, hop.launches, hop.is_l2_resident)),
        cell(hop.time_s * _US_PER_S),
    ]


def _table(rows: Sequence[Sequence[str]], *, is_text: bool = False) -> str:
    """Columns of numbers to the right, the first one and those of text to the left."""
    head, *body = rows
    other = '---' if is_text else '---:'
    lines = [head, ['---', *[other] * (len(head) - 1)], *body]
    return '\n'.join(f'| {" | ".join(_escaped(line))} |' for line in lines)


def _escaped(cells: Sequence[str]) -> list[str]:
    return [text.replace('|', r'\|').replace('\n', ' ') for text in cells]
