from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from taolora_ros.bags import (
    BagWriter,
    bag_types,
    describe,
    read_messages,
    read_recording,
    read_series,
    resolve_channels,
    time_of,
)
from taolora_ros.config import IngestConfig, StampSource
from taolora_ros.errors import BagError, ChannelError
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import NS_PER_S, RawMessage

BAGS = Path(__file__).parents[2] / 'shared' / 'data' / 'bags'
START = 1_700_000_000 * NS_PER_S
JOINTS = 'sensor_msgs/msg/JointState'
CONFIG = IngestConfig()

needs_real_bags = pytest.mark.skipif(not BAGS.is_dir(), reason=f'no recordings at {BAGS}')


def header(stamp_ns: int) -> dict[str, Any]:
    return {'stamp': time_of(stamp_ns), 'frame_id': 'base'}


def write_arm(path: Path, *, seconds: float = 2.0) -> Path:
    """A bag with every type that the simulator writes."""
    with BagWriter(path) as bag:
        for n in range(round(seconds * 100)):
            stamp = START + n * 10_000_000
            joints = {'name': ['a', 'b'], 'position': [n, -n], 'velocity': [1, 1], 'effort': []}
            bag.write('/joint_states', JOINTS, {'header': header(stamp), **joints}, stamp)
            wrench = {'wrench': {'force': {'z': float(n)}}}
            kind = 'geometry_msgs/msg/WrenchStamped'
            bag.write('/wrench', kind, {'header': header(stamp), **wrench}, stamp)
            for half in (0, 5_000_000):
                tool = {'header': header(stamp + half), 'linear_acceleration': {'z': 9.8}}
                bag.write('/imu/data', 'sensor_msgs/msg/Imu', tool, stamp + half)
            if n % 100 == 0:
                heat = {'header': header(stamp), 'temperature': 20.0 + n / 100}
                bag.write('/motor/temperature', 'sensor_msgs/msg/Temperature', heat, stamp)
            bag.write('/ground_truth/anomaly', 'std_msgs/msg/Bool', {'data': n >= 150}, stamp)
        bag.write('/ground_truth/faults', 'std_msgs/msg/String', {'data': '{"id": 1}'}, START)
    return path


@pytest.fixture(scope='module')
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_arm(tmp_path_factory.mktemp('bags') / 'arm')


def test_a_written_bag_reads_back(arm: Path) -> None:
    channels = (
        '/joint_states:position[*]',
        '/wrench:wrench.force.z',
        '/imu/data:linear_acceleration.z',
    )
    recording = read_recording(arm, (*channels, '/motor/temperature:temperature'), CONFIG)
    assert recording.name == 'arm'
    assert recording.values.shape == recording.peaks.shape == (200, 5)
    assert recording.values[7].tolist() == [7.0, -7.0, 7.0, 9.8, 20.0]
    assert np.all(np.diff(recording.stamps_ns) == 10_000_000)
    assert recording.starts == (0,)


def test_messages_come_in_the_order_of_receipt_with_their_types(arm: Path) -> None:
    messages = list(read_messages(arm))
    assert len(messages) == 200 * 5 + 2 + 1
    assert all(a.receive_ns <= b.receive_ns for a, b in itertools.pairwise(messages))
    (only,) = read_messages(arm, ['/ground_truth/faults'])
    assert bag_types(arm).deserialize(only.data, only.type_name).data == '{"id": 1}'


def test_a_single_file_is_read_like_its_folder(arm: Path) -> None:
    (file,) = arm.glob('*.mcap')
    assert len(list(read_messages(file))) == len(list(read_messages(arm)))


def test_an_sqlite_bag_without_definitions_is_read_like_an_mcap(arm: Path, tmp_path: Path) -> None:
    registry = bag_types(arm)
    with Writer(tmp_path / 'old', version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        kind = 'geometry_msgs/msg/WrenchStamped'
        text, digest = registry.definition_text(kind)
        connection = writer.add_connection('/wrench', kind, msgdef=text, rihs01=digest)
        for message in read_messages(arm, ['/wrench']):
            writer.write(connection, message.receive_ns, message.data)
    channel = ['/wrench:wrench.force.z']
    old, new = (read_recording(path, channel, CONFIG) for path in (tmp_path / 'old', arm))
    assert np.array_equal(old.values, new.values)


def test_labels_are_read_as_they_were_recorded(arm: Path) -> None:
    stamps, values = read_series(arm, '/ground_truth/anomaly:data')
    assert stamps[0] == START
    assert values.sum() == 50.0
    assert stamps[values > 0][0] == START + 1_500_000_000


def test_raw_messages_copy_from_bag_to_bag(arm: Path, tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'copy', bag_types(arm)) as bag:
        for message in read_messages(arm, ['/wrench']):
            bag.write_raw(message)
    pairs = zip(read_messages(arm, ['/wrench']), read_messages(tmp_path / 'copy'), strict=True)
    assert all(bytes(a.data) == bytes(b.data) for a, b in pairs)


def test_a_written_bag_carries_the_definitions_of_its_own_types(tmp_path: Path) -> None:
    registry = TypeRegistry(prefixes=())
    registry.add_text('rover_msgs/msg/Wheel', 'std_msgs/Header header\nfloat32[2] slip\n')
    with BagWriter(tmp_path / 'rover', registry) as bag:
        for n in range(3):
            stamp = START + n * 10_000_000
            values = {'header': header(stamp), 'slip': [n, 2 * n]}
            bag.write('/wheel', 'rover_msgs/msg/Wheel', values, stamp)
    recording = read_recording(tmp_path / 'rover', ['/wheel:slip[*]'], CONFIG)
    assert recording.values.tolist() == [[0, 0], [1, 2], [2, 4]]


def test_every_element_is_expanded_against_the_first_message(arm: Path) -> None:
    assert resolve_channels(arm, ['/joint_states:velocity[*]', '/joint_states:velocity[a]']) == (
        '/joint_states:velocity[a]',
        '/joint_states:velocity[b]',
    )


@pytest.mark.parametrize(
    ('spec', 'says'),
    [
        ('/joint_state:effort[a]', "no topic '/joint_state'.*did you mean '/joint_states'"),
        ('/joint_states:efort[a]', "no field 'efort'; did you mean 'effort'"),
        ('/joint_states:position[c]', "no element 'c'"),
        ('/joint_states:effort[*]', 'empty in the first message'),
        ('/ground_truth/faults:data', 'is string, not a number'),
    ],
)
def test_an_unknown_topic_or_field_is_refused_with_the_nearest(
    arm: Path, spec: str, says: str
) -> None:
    with pytest.raises(ChannelError, match=says) as raised:
        read_recording(arm, [spec], CONFIG)
    assert '\n' not in str(raised.value)


def test_a_missing_bag_is_refused_with_the_nearest(arm: Path) -> None:
    with pytest.raises(BagError, match=r"no such bag; did you mean 'arm'"):
        describe(arm.parent / 'arn')


def test_a_folder_that_is_no_bag_is_refused(tmp_path: Path, arm: Path) -> None:
    with pytest.raises(BagError, match=r'no metadata\.yaml; name a folder'):
        describe(tmp_path)
    (file,) = arm.glob('*.mcap')
    shutil.copy(file, tmp_path)
    with pytest.raises(BagError, match='ros2 bag reindex'):
        describe(tmp_path)


@pytest.mark.parametrize('share', [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_mcap_is_refused_in_one_line(arm: Path, tmp_path: Path, share: float) -> None:
    broken = tmp_path / 'broken'
    shutil.copytree(arm, broken)
    (file,) = broken.glob('*.mcap')
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    for path in (broken, file):
        with pytest.raises(BagError, match='truncated or damaged') as raised:
            list(read_messages(path))
        assert '\n' not in str(raised.value)


def test_bytes_changed_inside_an_mcap_are_never_a_traceback(arm: Path, tmp_path: Path) -> None:
    broken = tmp_path / 'broken'
    shutil.copytree(arm, broken)
    (file,) = broken.glob('*.mcap')
    data = file.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(25):
        changed = bytearray(data)
        for at in generator.integers(0, len(data), 8):
            changed[at] ^= 1 << int(generator.integers(8))
        file.write_bytes(changed)
        try:
            describe(broken)
        except BagError as error:
            assert '\n' not in str(error)  # noqa: PT017 - some changes do no harm


def test_a_broken_metadata_file_is_refused(arm: Path, tmp_path: Path) -> None:
    broken = tmp_path / 'broken'
    shutil.copytree(arm, broken)
    (broken / 'metadata.yaml').write_text('rosbag2_bagfile_information: [1\n')
    with pytest.raises(BagError, match=r'truncated or damaged') as raised:
        describe(broken)
    assert '\n' not in str(raised.value)


def test_an_empty_bag_is_described_and_gives_no_recording(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'empty'):
        pass
    assert describe(tmp_path / 'empty').messages == 0
    with pytest.raises(ChannelError, match=r"no topic '/a' in .*known: none"):
        read_recording(tmp_path / 'empty', ['/a:b'], CONFIG)


def test_a_bag_of_a_few_rows_is_read_in_full(tmp_path: Path) -> None:
    short = write_arm(tmp_path / 'short', seconds=0.05)
    recording = read_recording(short, ['/wrench:wrench.force.z'], CONFIG)
    assert recording.values[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_channel_without_any_finite_value_is_named(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'nan') as bag:
        for n in range(10):
            values = {'name': ['a'], 'position': [float('nan')], 'effort': [1.0]}
            bag.write('/j', JOINTS, values, START + n * 10_000_000)
    with pytest.raises(BagError, match=r'never a finite value of /j:position\[a\]; leave'):
        read_recording(tmp_path / 'nan', ['/j:position[a]', '/j:effort[a]'], CONFIG)


def test_a_bag_that_exists_is_not_overwritten(arm: Path) -> None:
    with pytest.raises(BagError, match='exists already; remove it'):
        BagWriter(arm)


def test_a_type_change_inside_a_bag_is_skipped(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'mixed') as bag:
        for n in range(20):
            kind = 'std_msgs/msg/Float64' if n < 10 else 'std_msgs/msg/String'
            data: object = float(n) if n < 10 else 'text'
            bag.write('/x', kind, {'data': data}, START + n * 10_000_000)
    recording = read_recording(tmp_path / 'mixed', ['/x:data'], CONFIG)
    assert recording.values[:, 0].tolist() == [float(n) for n in range(10)]
    assert describe(tmp_path / 'mixed').messages == 20


def test_a_description_tells_defects_of_stamps(tmp_path: Path) -> None:
    day = 86_400 * NS_PER_S
    with BagWriter(tmp_path / 'clocks') as bag:
        for n in range(20):
            receipt = START + n * 100_000_000
            for topic, stamp in (
                ('/sane', receipt - 1_000_000),
                ('/zero', 0),
                ('/days_off', receipt - 6 * day),
                ('/back', receipt - (200_000_000 if n == 9 else 0)),
            ):
                values = {'header': header(stamp), 'temperature': float(n)}
                bag.write(topic, 'sensor_msgs/msg/Temperature', values, receipt)
    found = {topic.topic: topic for topic in describe(tmp_path / 'clocks').topics}
    assert found['/sane'].stamp_source is StampSource.HEADER
    assert (found['/zero'].zero_stamps, found['/sane'].zero_stamps) == (20, 0)
    assert found['/zero'].stamp_source is StampSource.RECEIPT
    assert found['/days_off'].skewed_stamps == 20
    assert found['/days_off'].skew_s == pytest.approx(-6 * 86_400)
    assert found['/back'].backward_stamps == 1
    assert found['/sane'].rate_hz == pytest.approx(10.0)
    (temperature, variance) = found['/sane'].fields
    assert (temperature.path, temperature.low, temperature.high) == ('temperature', 0.0, 19.0)
    assert variance.non_finite_share == 0.0


def test_receipt_dates_messages_without_header(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'plain') as bag:
        for n in range(5):
            bag.write_raw(
                RawMessage('/x', 'std_msgs/msg/Int8', b'\0\1\0\0' + bytes([n]), START + n * 10**7)
            )
    recording = read_recording(tmp_path / 'plain', ['/x:data'], CONFIG)
    assert recording.stamps_ns.tolist() == [START + n * 10**7 for n in range(5)]


@needs_real_bags
def test_a_real_pause_of_27_seconds_is_one_gap() -> None:
    channels = ['/shaft/imu:linear_acceleration.x', '/joint_states:effort[shaft]']
    config = IngestConfig(sample_rate_hz=62.5)
    recording = read_recording(BAGS / 'rosa_H100', channels, config)
    assert len(recording.starts) == 2
    before, after = recording.stamps_ns[recording.starts[1] - 1 : recording.starts[1] + 1]
    assert (after - before) / NS_PER_S == pytest.approx(26.7, abs=0.1)
    assert np.isfinite(recording.values).all()


@needs_real_bags
def test_real_rows_that_are_nan_are_held() -> None:
    channels = ['/joint_states:velocity[*]', '/joint_states:effort[*]']
    config = IngestConfig(sample_rate_hz=1.0)
    recording = read_recording(BAGS / 'ur3_session1', channels, config)
    assert recording.values.shape[1] == 12
    assert len(recording.values) > 2800
    assert np.isfinite(recording.values).all()


@needs_real_bags
def test_real_messages_with_bad_clocks_meet_on_one_grid() -> None:
    channels = [
        '/coug2/modem_imu:linear_acceleration.x',
        '/coug2/battery/data:voltage',
        '/coug2/pressure/data:fluid_pressure',
        '/coug2/controls/command:fin[*]',
    ]
    config = IngestConfig(sample_rate_hz=10.0)
    recording = read_recording(BAGS / 'cougars_short', channels, config)
    assert len(recording.values) > 140
    assert recording.starts == (0,)


@needs_real_bags
def test_all_of_a_real_outdoor_recording_is_read() -> None:
    channels = [
        '/imu/data:angular_velocity.z',
        '/husky_velocity_controller/odom:twist.twist.linear.x',
    ]
    config = IngestConfig(sample_rate_hz=30.0)
    recording = read_recording(BAGS / 'husky_outdoor', channels, config)
    assert len(recording.values) == pytest.approx(395.3 * 30, abs=5)
    assert recording.starts == (0,)
