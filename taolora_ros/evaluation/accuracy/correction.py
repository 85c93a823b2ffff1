"""What the network with a block beyond the linear skip gains: trained and judged the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.settings import with_correction
from taolora_ros.evaluation.accuracy.subjects import Subject
from taolora_ros.evaluation.accuracy.verdicts import Verdict, judge_case
from taolora_ros.evaluation.accuracy.workers import Workers
from taolora_ros.evaluation.intervals import Interval, paired_difference
from taolora_ros.model.base import Precision
from taolora_ros.training.trainer import train

_SETS = ('rosa',)


@dataclass(frozen=True, slots=True)
class Correction:
    """VUS-PR with one block less that without, over the same series."""

    gain: Interval
    is_kept: bool  # whether the correction survived training; it is dropped where it adds nothing
    numbers: int  # of the model with it


def measure_correction(
    subjects: Sequence[Subject], routed: Mapping[str, Sequence[Verdict]], workers: Workers
) -> dict[str, Correction]:
    """Train with a block, and compare.

    Args:
        subjects: of the sets.
        routed: verdicts without a block, by set.
        workers: run the jobs.
    """
    chosen = [subject for subject in subjects if subject.set_name in _SETS]
    models = workers.map('with a block', _train, [(subject,) for subject in chosen])
    found = {}
    for subject, model in zip(chosen, models, strict=True):
        cases = [case for case in subject.cases if case.labels.any()]
        judged = workers.map(
            'judging with a block',
            judge_case,
            [(model, case, Precision.INT4_ROUTED) for case in cases],
        )
        before = {verdict.name: verdict.vus_pr for verdict in routed[subject.set_name]}
        found[subject.set_name] = Correction(
            gain=paired_difference(
                [verdict.vus_pr or 0.0 for verdict in judged],
                [before[verdict.name] or 0.0 for verdict in judged],
                seed=0,
            ),
            is_kept=model.watch.network.correction is not None,
            numbers=model.watch.numbers,
        )
    return found


def _train(subject: Subject) -> DetectorModel:
    config = with_correction(subject.config)
    return train(subject.train, config.channels, config, progress=lambda stage, share: None)
