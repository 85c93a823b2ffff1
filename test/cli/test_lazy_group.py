from __future__ import annotations

import sys

import click
import pytest
from click.testing import CliRunner

from taolora_ros.cli.lazy_group import LazyGroup

# `evaluate` stands for any command of ours; 'not-there' has no module.
GROUP = LazyGroup(
    name='group',
    members={'evaluate': 'Score bags.', 'not-there': 'Nothing.'},
    kind='verb',
    title='Verbs',
    prefix='taolora_ros.cli.',
)


def test_help_lists_members_that_have_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'taolora_ros.cli.evaluate', raising=False)
    shown = CliRunner().invoke(GROUP, ['--help'])
    assert shown.exit_code == 0
    assert 'VERB [ARGS]...' in shown.output
    assert 'Verbs:\n  evaluate  Score bags.\n' in shown.output
    assert 'not-there' not in shown.output
    assert 'taolora_ros.cli.evaluate' not in sys.modules


def test_a_member_is_imported_to_run_it() -> None:
    shown = CliRunner().invoke(GROUP, ['evaluate', '--help'])
    assert shown.exit_code == 0
    assert 'MODEL' in shown.output


def test_a_dash_is_an_underscore_in_the_module_s_name() -> None:
    group = LazyGroup(
        name='bench',
        members={'stream-step': 'One hop.'},
        kind='bench',
        title='Benches',
        prefix='taolora_ros.cli.bench_',
    )
    command = group.get_command(click.Context(group), 'stream-step')
    assert command is not None
    assert command.name == 'stream-step'


def test_a_mistyped_member_is_told_what_is_close() -> None:
    shown = CliRunner().invoke(GROUP, ['evalaute'])
    assert shown.exit_code == 2
    assert "no verb 'evalaute'; did you mean 'evaluate'?" in shown.output
