"""Crafted and damaged YAML files of settings."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taolora_ros.config import Config, flat, read_config
from taolora_ros.errors import ConfigError
from taolora_ros.plain_yaml import MAX_FILE_BYTES

FUZZ = settings(derandomize=True, database=None, deadline=None, max_examples=300)
FACTOR = 600  # a YAML node takes some 500 bytes, and may be one letter
EXAMPLE = (Path(__file__).parents[2] / 'config' / 'detector.yaml').read_bytes()
SECTIONS = [entry for entry in dataclasses.fields(Config) if not entry.metadata]

Survives = Callable[..., Any]
Read = Callable[[bytes], Any]


@pytest.fixture(scope='module')
def read(survives: Survives, tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads bytes as a file; the configuration or the error."""
    path = tmp_path_factory.mktemp('crafted') / 'crafted.yaml'

    def attempt(data: bytes) -> Any:
        path.write_bytes(data)
        outcome = survives(lambda: read_config(path), size=len(data), factor=FACTOR)
        if isinstance(outcome, Config):
            numbers = [value for value in flat(outcome).values() if isinstance(value, float)]
            assert all(map(math.isfinite, numbers))
        else:
            assert isinstance(outcome, ConfigError)
        return outcome

    return attempt


LAUGHS = 'channels: &a [x, x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{new}: &{new} [{", ".join([f"*{old}"] * 10)}]\n'
    for old, new in zip('abcdefghi', 'bcdefghij', strict=True)
)
MERGES = 'a: &a {x: 1}\n' + ''.join(
    f'{new}: &{new} {{<<: [{", ".join([f"*{old}"] * 10)}]}}\n'
    for old, new in zip('abcdefghi', 'bcdefghij', strict=True)
)


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (LAUGHS, 'aliases are not read; write the value out in'),
        (MERGES, 'aliases are not read'),
        ('channels: &a [*a]', 'aliases are not read'),
        ('router: {<<: {on: 2.0}}', "router: unknown key '<<'"),
        ('channels: ' + '[' * 50_000, 'nested too deeply'),
        ('channels: ' + '{a: ' * 5000, 'nested too deeply'),
        ('\n'.join(' ' * n + 'a:' for n in range(600)), 'nested too deeply'),
        ('- ' * 50_000, 'nested too deeply'),
        ('labels: !!python/object/apply:os.system [id]', 'could not determine a constructor'),
        ('labels: !!python/name:os.system', 'could not determine a constructor'),
        ('labels: !!binary aGk=', 'could not determine a constructor'),
        ('channels: !!set {a, b}', 'could not determine a constructor'),
        ('channels: !!omap [a: 1]', 'could not determine a constructor'),
        ('labels: !!timestamp x', 'could not determine a constructor'),
        ('labels: !secret x', 'could not determine a constructor'),
        ('training: {seed: 2001-99-99}', "training.seed: expected int, got '2001-99-99'"),
        ('training: {seed: 2001-01-01}', "training.seed: expected int, got '2001-01-01'"),
        ('training: {seed: 1:30}', "training.seed: expected int, got '1:30'"),
        ('training: {seed: !!int x}', 'invalid literal'),
        ('training: {seed: !!int ""}', 'invalid literal'),
        ('labels: !!bool x', 'cannot be read as YAML'),
        ('ingest: {stale_s: !!float x}', 'could not convert'),
        ('ingest: {stale_s: !!float [1]}', 'expected a scalar node'),
        (f'training: {{seed: {"9" * 5000}}}', 'training.seed: expected int, got inf'),
        (f'training: {{seed: !!int {"9" * 4000}}}', 'seed: a number of 13288 bits is out of'),
        (f'training: {{seed: !!int {"9" * 5000}}}', 'cannot be read as YAML'),
        (f'training: {{seed: 0x{"f" * 5000}}}', "training.seed: expected int, got '0xfff"),
        (f'labels: !!int {"9" * 4000}', 'labels: expected str, got a number of 13288 bits'),
        ('ingest: {stale_s: .nan}', 'ingest.stale_s: nan is out of range'),
        ('ingest: {stale_s: .inf}', 'ingest.stale_s: inf is out of range'),
        ('ingest: {stale_s: 1e300}', 'ingest.stale_s: 1e+300 is out of range'),
        ('window: {patch: 4, patch: 8}', "'patch' stands here twice"),
        ('window: {patch: 4}\nwindow: {patch: 8}', "'window' stands here twice"),
        ('window: {? [patch] : 4}', 'unhashable key'),
        ('? {a: 1}\n: 2', 'unhashable key'),
        ('window: ~', 'window: expected settings by name, got None'),
        ('1: 2', 'unknown key 1'),
        ('~: 2', 'unknown key None'),
        ('false', 'expected settings by name, got False'),
        ('[]', 'expected settings by name, got []'),
        ('--- {}\n--- {}', 'expected a single document'),
        ('%YAML 3.0\n--- {}', 'incompatible YAML document'),
        ('labels: "\\ud800"', "labels: '\\ud800' holds half a letter"),
        ('labels: a\0b', 'cannot be read as YAML'),
        (f'{"k" * 100_000}: 1', 'cannot be read as YAML'),
        (f'? {"k" * 100_000}\n: 1', "unknown key 'kkk"),
        (f'labels: [{"x, " * 5000}]', 'labels: expected str, got ['),
        ('#' * MAX_FILE_BYTES + '\n', 'it is larger than 256 KiB'),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_what_is_no_plain_setting_is_refused(read: Read, text: str, says: str) -> None:
    outcome = read(text.encode('utf-8', 'surrogatepass'))
    assert isinstance(outcome, ConfigError)
    assert says in str(outcome)


@pytest.mark.parametrize('encoding', ['latin-1', 'utf-16', 'utf-32', 'cp037'])
def test_other_encodings_are_refused(read: Read, encoding: str) -> None:
    assert isinstance(read('labels: "/wärme:data"'.encode(encoding)), ConfigError)


def test_a_mark_of_utf_8_is_read_over(read: Read) -> None:
    outcome = read('labels: "/wärme:data"'.encode('utf-8-sig'))
    assert outcome == Config(labels='/wärme:data')


def test_a_pipe_that_nobody_writes_to_does_not_hold_the_reader_up(
    survives: Survives, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / 'pipe.yaml')
    for path in (tmp_path / 'pipe.yaml', Path('/dev/zero'), Path('/dev/tty')):
        outcome = survives(lambda path=path: read_config(path), size=0, factor=1)
        assert isinstance(outcome, ConfigError)


@pytest.mark.parametrize('name', ['x' * 300, '\0', '.'])
def test_a_path_that_cannot_be_one_is_refused(survives: Survives, name: str) -> None:
    outcome = survives(lambda: read_config(Path(name)), size=0, factor=1)
    assert isinstance(outcome, ConfigError)


@FUZZ
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=6) | st.text(max_size=3), st.integers(0, 9)),
        min_size=1,
        max_size=4,
    )
)
def test_changed_bytes_of_a_good_file_are_taken_or_refused(read: Read, edits: Any) -> None:
    data = bytearray(EXAMPLE)
    for where, new, old in edits:
        place = round(where * len(data))
        data[place : place + old] = new.encode() if isinstance(new, str) else new
    read(bytes(data))


NAMES = [
    name for section in SECTIONS for name in (section.name, *vars(getattr(Config(), section.name)))
]
SYNTAX = [
    *('\n', '\n  ', '\n- ', ': ', ', ', '[', ']', '{', '}', '- ', '? ', '|', '>-', '"', "'", '#'),
    *('&a ', '*a', '<<: ', '!!int ', '!!float ', '!!str ', '!!map ', '!!seq ', '!!null ', '!x '),
    *('%TAG ! tag:x,1:', '\n---\n', '\n...\n', '\t', '\\x', '=', '@', '`', '\u2028', '\ufeff'),
    *('1', '-0', '0.5', '1e5', '.inf', '.nan', '0x10', '0o17', '1_000', '1:2:3', '2001-01-01'),
    *('true', 'no', 'null', '~', 'hold', 'static', 'cpu', '/imu:x', 'channels', 'labels'),
]


@FUZZ
@given(st.lists(st.sampled_from(SYNTAX) | st.sampled_from(NAMES) | st.text(max_size=2)))
def test_any_tokens_are_taken_or_refused(read: Read, tokens: list[str]) -> None:
    read(''.join(tokens).encode('utf-8', 'surrogatepass'))


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.sampled_from(SYNTAX) | st.integers().map(str) | st.floats().map(repr),
        max_size=4,
    ),
    st.sampled_from([section.name for section in SECTIONS]),
)
def test_any_value_in_a_section_is_taken_or_refused(
    read: Read, values: dict[str, str], section: str
) -> None:
    lines = [f'  {name}: {value}\n' for name, value in values.items()]
    read(f'{section}:\n{"".join(lines)}'.encode('utf-8', 'surrogatepass'))
