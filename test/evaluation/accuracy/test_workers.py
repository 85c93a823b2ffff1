from __future__ import annotations

import os

import pytest

from taolora_ros.evaluation.accuracy.workers import Workers


def quiet(stage: str, done: int, total: int) -> None:
    pass


@pytest.mark.parametrize('count', [1, 2])
def test_results_come_in_the_order_of_the_jobs(count: int) -> None:
    told: list[tuple[str, int, int]] = []
    with Workers(count, lambda *progress: told.append(progress)) as workers:
        assert workers.map('powers', pow, [(2, 3), (3, 2), (5, 1)]) == [8, 9, 5]
    assert told == [('powers', done, 3) for done in range(4)]


def test_a_job_that_fails_ends_it_all() -> None:
    with Workers(2, quiet) as workers, pytest.raises(ZeroDivisionError):
        workers.map('quotients', divmod, [(1, 1), (1, 0)])


def test_processes_are_told_to_keep_to_one_thread() -> None:
    before = os.environ.get('OMP_NUM_THREADS')
    with Workers(2, quiet) as workers:
        assert workers.map('threads', os.getenv, [('OMP_NUM_THREADS',)]) == ['1']
    assert os.environ.get('OMP_NUM_THREADS') == before


def test_no_job_gives_no_result() -> None:
    with Workers(1, quiet) as workers:
        assert workers.map('nothing', pow, []) == []
