from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taolora_ros.errors import ChannelError
from taolora_ros.ingest.channels import Channel, Reduction, Step, parse_channel

NAMES = st.from_regex(r'[a-z][a-z0-9_]{0,6}', fullmatch=True)
INDEXES = st.one_of(
    st.none(), st.integers(0, 99), st.just('*'), st.sampled_from(['elbow', 'arm/joint 1', 'j-2'])
)
STEPS = st.builds(Step, NAMES, INDEXES)
TOPICS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: '/' + '/'.join(names))
CHANNELS = st.builds(
    Channel,
    TOPICS,
    st.lists(STEPS, min_size=1, max_size=3).map(tuple),
    st.one_of(st.none(), st.sampled_from(Reduction)),
)


@pytest.mark.parametrize(
    ('text', 'channel'),
    [
        (
            '/imu/data:linear_acceleration.x',
            Channel('/imu/data', (Step('linear_acceleration'), Step('x'))),
        ),
        ('/joint_states:effort[elbow]', Channel('/joint_states', (Step('effort', 'elbow'),))),
        ('/a:b[3]', Channel('/a', (Step('b', 3),))),
        ('/a:b[*].c', Channel('/a', (Step('b', '*'), Step('c')))),
        ('/points:z|mean', Channel('/points', (Step('z'),), Reduction.MEAN)),
        (' /a : b | rms ', Channel('/a', (Step('b'),), Reduction.RMS)),
    ],
)
def test_a_spec_names_topic_path_and_reduction(text: str, channel: Channel) -> None:
    assert parse_channel(text) == channel


@given(CHANNELS)
def test_reading_the_canonical_spec_gives_the_same_channel(channel: Channel) -> None:
    canonical = str(parse_channel(str(channel)))
    assert str(parse_channel(canonical)) == canonical
    if channel.path[-1].index != '*':
        assert parse_channel(str(channel)) == channel


def test_a_reduction_over_every_element_is_written_without_the_star() -> None:
    assert str(parse_channel('/a:b[*]|max')) == '/a:b|max'


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('imu:x', 'no absolute topic'),
        ('/imu', 'names no field'),
        ('/imu:', 'names no field'),
        ('/imu:a..b', 'no field path'),
        ('/imu:a.', 'no field path'),
        ('/imu:a[', 'no field path'),
        ('/imu:a[-1]', '|last'),
        ('/imu:a|meen', "did you mean 'mean'"),
        ('/imu//x:a', 'no absolute topic'),
    ],
)
def test_a_malformed_spec_is_refused_in_one_line_that_says_why(text: str, says: str) -> None:
    with pytest.raises(ChannelError) as raised:
        parse_channel(text)
    assert says in str(raised.value)
    assert text in str(raised.value)
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        (Reduction.MEAN, 0.0),
        (Reduction.MIN, -4.0),
        (Reduction.MAX, 3.0),
        (Reduction.STD, math.sqrt(26 / 3)),
        (Reduction.RMS, math.sqrt(26 / 3)),
        (Reduction.ABSMAX, 4.0),
        (Reduction.MEDIAN, 1.0),
        (Reduction.SUM, 0.0),
        (Reduction.NORM, math.sqrt(26)),
        (Reduction.LENGTH, 5.0),
        (Reduction.LAST, 1.0),
    ],
)
def test_reductions_leave_out_what_is_not_finite(kind: Reduction, expected: float) -> None:
    assert kind.over(np.array([np.nan, 3.0, -4.0, np.inf, 1.0])) == pytest.approx(expected)


@pytest.mark.parametrize('kind', [kind for kind in Reduction if kind is not Reduction.LENGTH])
def test_a_reduction_over_nothing_is_nan(kind: Reduction) -> None:
    assert math.isnan(kind.over(np.array([])))
    assert math.isnan(kind.over(np.array([np.nan])))
