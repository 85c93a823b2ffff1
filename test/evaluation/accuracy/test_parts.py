from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.detection.evidence import Evidence
from taolora_ros.detection.scoring import combine, surprise
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.parts import SUBSETS, part_scores, router_scores
from taolora_ros.evaluation.accuracy.streaming import Streamed, stream
from taolora_ros.evaluation.accuracy.subjects import Case


@pytest.fixture(scope='module')
def streamed(rotor_model: DetectorModel, struck: Case) -> Streamed:
    return stream(rotor_model, struck)


def test_parts_share_no_statistic_and_leave_none_out() -> None:
    listed = [evidence for subset in SUBSETS.values() for evidence in subset]
    assert sorted(listed) == sorted(Evidence)


def test_a_part_does_not_see_the_statistics_of_others(
    rotor_model: DetectorModel, streamed: Streamed
) -> None:
    other = streamed.statistics.copy()
    other[:, Evidence.RELATION] += 50.0
    changed = dataclasses.replace(streamed, statistics=other)
    before, after = (part_scores(rotor_model, each) for each in (streamed, changed))
    for name in ('linear_skip', 'window_features', 'router'):
        np.testing.assert_array_equal(before[name], after[name])
    assert (after['relation'] > before['relation']).all()


def test_a_part_never_says_more_than_all(rotor_model: DetectorModel, streamed: Streamed) -> None:
    whole = combine(surprise(streamed.statistics, rotor_model.scores.tails))
    scores = part_scores(rotor_model, streamed)
    for name in SUBSETS:
        assert (scores[name] <= whole + 1e-9).all()
        assert (scores[name] >= 0).all()


def test_the_router_says_its_largest_sign_over_its_limit(
    rotor_model: DetectorModel, streamed: Streamed
) -> None:
    limits = rotor_model.watch.limits
    hop = 400
    ratio, energy, clip = streamed.trace.evidence[hop]
    expected = max(
        ratio / limits.variance_ratio, energy / limits.energy_z, clip / limits.clip_share
    )
    assert router_scores(rotor_model, streamed)[hop] == pytest.approx(expected)
