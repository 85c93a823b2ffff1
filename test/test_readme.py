"""What the README says is true: its commands run, its settings and files exist."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from taolora_ros.config import Config, read_config
from taolora_ros.ingest.channels import parse_channel

ROOT = Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text(encoding='utf-8')
BLOCK = re.compile(r'^( *)```(\w*)\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, without the indent of the list they stand in."""
    return [
        re.sub(rf'^{indent}', '', body, flags=re.MULTILINE)
        for indent, found, body in BLOCK.findall(README)
        if found == language
    ]


def commands(start: str) -> list[list[str]]:
    """Words of all command lines in bash blocks that begin so."""
    lines = [line for block in blocks('bash') for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(start)]


def test_commands_for_the_simulated_arm_run_as_printed(tmp_path: Path) -> None:
    (block,) = [block for block in blocks('bash') if block.startswith('taolora simulate')]
    (tmp_path / 'config').symlink_to(ROOT / 'config')
    for line in block.splitlines():
        taolora, *words = shlex.split(line)
        assert taolora == 'taolora'
        done = subprocess.run(
            [sys.executable, '-m', 'taolora_ros', *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f'{line}\n{done.stderr}'
    (run,) = json.loads((tmp_path / 'out.json').read_text())['runs']
    assert run['name'] == 'faults'
    assert run['events'] > 0
    assert (tmp_path / 'report.html').stat().st_size > 10_000


@pytest.mark.parametrize('words', commands('taolora '), ids=' '.join)
def test_every_taolora_command_is_understood(words: list[str]) -> None:
    command = importlib.import_module(f'taolora_ros.cli.{words[1]}').command
    assert isinstance(command, click.Command)
    command.make_context(words[1], words[2:])


@pytest.mark.parametrize('words', commands('make '), ids=' '.join)
def test_every_make_target_exists(words: list[str]) -> None:
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    assert re.search(rf'^{words[1]}:', makefile, re.MULTILINE)


def test_every_launch_argument_is_declared() -> None:
    lines = re.findall(r'ros2 launch taolora_ros (\S+)((?: \w+:=\S+)+)', README.replace('`', ' '))
    assert lines
    for file, arguments in lines:
        declared = (ROOT / 'launch' / file).read_text(encoding='utf-8')
        for name in re.findall(r'(\w+):=', arguments):
            assert f"'{name}'" in declared, f'{file} declares no {name}'


def test_example_settings_are_valid(tmp_path: Path) -> None:
    (text,) = blocks('yaml')
    path = tmp_path / 'robot.yaml'
    path.write_text(text, encoding='utf-8')
    for channel in read_config(path).channels:
        parse_channel(channel)


def test_parameters_in_the_table_have_the_defaults_it_says() -> None:
    rows = re.findall(
        r'^\| `(\w+)\.(\w+)`(?:, `(\w+)`)? \| `?([^|`]+?)`? \|', README, re.MULTILINE
    )
    assert len(rows) >= 5
    for section, *names, told in rows:
        for name in filter(None, names):
            value: Any = getattr(getattr(Config(), section), name)
            assert str(getattr(value, 'value', value)) == told, f'{section}.{name}'


def test_linked_files_exist() -> None:
    links = re.findall(r'\]\(([^)#]+)\)', README)
    assert links
    assert [link for link in links if '://' not in link and not (ROOT / link).exists()] == []


def test_topics_carry_the_messages_that_the_package_defines() -> None:
    told = set(re.findall(r'`taolora_ros/(\w+)`', README))
    assert told == {path.stem for path in (ROOT / 'msg').glob('*.msg')}


def test_nothing_waits_to_be_filled_in() -> None:
    assert re.findall(r'@[A-Z]+@', README) == []
