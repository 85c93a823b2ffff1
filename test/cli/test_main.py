from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from taolora_ros import __version__
from taolora_ros.cli import main
from taolora_ros.cli.lazy_group import LazyGroup
from taolora_ros.cli.main import VERBS, run
from taolora_ros.errors import BagError


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes every verb raise an error."""

    def prepare(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(LazyGroup, 'get_command', lambda group, ctx, name: command)

    return prepare


def test_help_lists_the_verbs_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['--help']) == 0
    listed = capsys.readouterr().out
    folder = Path(main.__file__).parent
    for verb in VERBS:
        assert (f'  {verb} ' in listed) == (folder / f'{verb}.py').exists()


def test_no_verb_means_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert capsys.readouterr().out.startswith('Usage: taolora')


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['--version']) == 0
    assert capsys.readouterr().out == f'taolora, version {__version__}\n'


@pytest.mark.parametrize('verb', list(VERBS))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not (Path(main.__file__).parent / f'{verb}.py').exists():
        pytest.skip(f'{verb} is not there yet')
    assert run([verb, '--help']) == 0
    assert capsys.readouterr().out.startswith(f'Usage: taolora {verb}')


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['trian'], "error: no verb 'trian'; did you mean 'train'?; see taolora --help\n"),
        (['--quiet'], 'error: No such option'),
    ],
)
def test_a_mistyped_command_line_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert err.startswith(said)
    assert err.endswith('; see taolora --help\n')
    assert err.count('\n') == 1


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (BagError('run.mcap: truncated; record it again'), 'run.mcap: truncated; record it again'),
        (BagError('two\nlines'), 'two lines'),
        (FileNotFoundError(2, 'No such file', 'x.yaml'), "[Errno 2] No such file: 'x.yaml'"),
        (click.BadParameter('must be positive'), 'Invalid value: must be positive; see taolora'),
        (click.ClickException('cannot open'), 'cannot open'),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(
    error: Exception,
    said: str,
    fail_with: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail_with(error)
    assert run(['inspect']) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert err.startswith(f'error: {said}')
    assert err.count('\n') == 1


def test_our_defect_is_one_line_that_says_how_to_report_it(
    fail_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(ZeroDivisionError('division by zero'))
    assert run(['inspect']) == 1
    err = capsys.readouterr().err
    assert err.startswith('error: ZeroDivisionError: division by zero. This is a defect')
    assert '--verbose' in err
    assert err.count('\n') == 1


def test_verbose_shows_the_traceback(
    fail_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(BagError('run.mcap: empty'))
    assert run(['--verbose', 'inspect']) == 2
    err = capsys.readouterr().err
    assert 'Traceback' in err
    assert err.endswith('error: run.mcap: empty\n')


def test_an_interrupt_is_no_error(
    fail_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(KeyboardInterrupt())
    assert run(['inspect']) == 130
    assert 'Traceback' not in capsys.readouterr().err


def test_the_module_stands_for_the_command() -> None:
    command = [sys.executable, '-m', 'taolora_ros', '--version']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f'taolora, version {__version__}\n'
