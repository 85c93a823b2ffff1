from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64, Int32, String

from taolora_ros.nodes import intake as nodes_intake
from taolora_ros.nodes.conversions import time_message
from taolora_ros.nodes.intake import TopicIntake
from taolora_ros.nodes.options import IntakeOptions, Publishers
from taolora_ros.nodes.qos import Durability, Reliability
from taolora_ros.samples import RawMessage

Spin = Callable[[Callable[[], bool]], None]
RELIABLE = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def connect(probe: Node, spin_until: Spin) -> Callable[[TopicIntake, list[Publisher]], None]:
    """Wait until an intake listens to publishers."""

    def wait(intake: TopicIntake, publishers: list[Publisher]) -> None:
        def is_connected() -> bool:
            intake.discover()
            return all(publisher.get_subscription_count() for publisher in publishers)

        spin_until(is_connected)

    return wait


@pytest.fixture
def collect(spin_until: Spin) -> Callable[[TopicIntake, int], list[RawMessage]]:
    """Drain until so many messages have come."""

    def wait(intake: TopicIntake, count: int) -> list[RawMessage]:
        messages: list[RawMessage] = []

        def is_enough() -> bool:
            messages.extend(intake.drain())
            return len(messages) >= count

        spin_until(is_enough)
        return messages

    return wait


def _value(message: RawMessage) -> float:
    (value,) = struct.unpack_from('<d', message.data, 4)
    return float(value)


def test_messages_of_several_topics_come_in_order_of_arrival(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    first = probe.create_publisher(Float64, '/a', RELIABLE)
    second = probe.create_publisher(Float64, '/b', RELIABLE)
    intake = TopicIntake(probe, ['/a', '/b'], depth=1000, is_simulated=False)
    connect(intake, [first, second])
    for number in range(60):
        (second if number % 3 else first).publish(Float64(data=float(number)))
    messages = collect(intake, 60)
    assert [_value(message) for message in messages] == [float(number) for number in range(60)]
    assert [message.topic for message in messages[:3]] == ['/a', '/b', '/b']
    assert {message.type_name for message in messages} == {'std_msgs/msg/Float64'}
    stamps = [message.receive_ns for message in messages]
    assert stamps == sorted(stamps)


def test_receipt_is_dated_by_the_system_while_time_is_real(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False)
    connect(intake, [publisher])
    before_ns = probe.get_clock().now().nanoseconds
    publisher.publish(Float64())
    (message,) = collect(intake, 1)
    assert before_ns <= message.receive_ns <= probe.get_clock().now().nanoseconds


def test_receipt_is_dated_by_the_clock_before_each_message_while_time_is_simulated(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    clock = probe.create_publisher(Clock, '/clock', RELIABLE)
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    intake = TopicIntake(probe, ['/a'], depth=1000, is_simulated=True)
    connect(intake, [clock, publisher])
    publisher.publish(Float64())  # before time has begun
    for second in range(1, 31):
        clock.publish(Clock(clock=time_message(second * 1_000_000_000)))
        publisher.publish(Float64(data=float(second)))
    messages = collect(intake, 30)
    assert [message.receive_ns for message in messages] == [
        round(_value(message) * 1e9) for message in messages
    ]
    assert intake.undated == 1


def test_a_topic_that_appears_later_is_found(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    intake = TopicIntake(probe, ['/late'], depth=10, is_simulated=False)
    assert intake.waiting == ('/late',)
    publisher = probe.create_publisher(Int32, '/late', BEST_EFFORT)
    connect(intake, [publisher])
    assert intake.waiting == ()
    publisher.publish(Int32(data=5))
    (message,) = collect(intake, 1)
    assert message.type_name == 'std_msgs/msg/Int32'
    assert deserialize_message(bytes(message.data), Int32).data == 5


@pytest.fixture
def elsewhere(ros: int) -> Iterator[Callable[[], Node]]:
    """Makes nodes that are participants of their own, as in another process."""
    contexts: list[Context] = []

    def make() -> Node:
        context = Context()
        rclpy.init(args=[], context=context, domain_id=ros)
        contexts.append(context)
        return rclpy.create_node('elsewhere', context=context)

    yield make
    for context in contexts:
        context.try_shutdown()


def test_a_publisher_that_returns_with_another_type_and_quality_is_heard_again(
    probe: Node, elsewhere: Callable[[], Node], connect: Callable, collect: Callable
) -> None:
    before, after = elsewhere(), elsewhere()
    publisher = before.create_publisher(Float64, '/a', RELIABLE)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False)
    connect(intake, [publisher])
    before.destroy_node()
    publisher = after.create_publisher(Int32, '/a', BEST_EFFORT)
    connect(intake, [publisher])
    publisher.publish(Int32(data=1))
    (message,) = collect(intake, 1)
    assert message.type_name == 'std_msgs/msg/Int32'
    after.destroy_node()


def test_messages_that_overflow_the_queue_are_counted(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    intake = TopicIntake(probe, ['/a'], depth=5, is_simulated=False)
    connect(intake, [publisher])
    publisher.publish(Float64(data=0.0))
    collect(intake, 1)
    for number in range(1, 21):
        publisher.publish(Float64(data=float(number)))
    messages = collect(intake, 5)
    assert [_value(message) for message in messages] == [16.0, 17.0, 18.0, 19.0, 20.0]
    assert intake.lost == 15


def test_drained_topics_do_not_wake_the_executor(
    probe: Node, executor: SingleThreadedExecutor, connect: Callable, collect: Callable
) -> None:
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False)
    connect(intake, [publisher])
    publisher.publish(Float64())
    executor.add_node(probe)
    for _ in range(3):  # the callback fails the test if it is ever called
        executor.spin_once(timeout_sec=0.05)
    assert len(collect(intake, 1)) == 1


def test_remapped_topics_are_found_under_their_new_name_and_keep_their_own(
    ros: int, spin_until: Spin, connect: Callable, collect: Callable, probe: Node
) -> None:
    listener = rclpy.create_node('listener', cli_args=['--ros-args', '-r', '/a:=/robot/a'])
    publisher = probe.create_publisher(Float64, '/robot/a', RELIABLE)
    intake = TopicIntake(listener, ['/a'], depth=10, is_simulated=False)
    connect(intake, [publisher])
    publisher.publish(Float64(data=3.0))
    (message,) = collect(intake, 1)
    assert message.topic == '/a'
    listener.destroy_node()


def test_a_closed_intake_leaves_no_subscription(
    probe: Node, connect: Callable, spin_until: Spin
) -> None:
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False)
    connect(intake, [publisher])
    intake.close()
    spin_until(lambda: publisher.get_subscription_count() == 0)
    assert intake.drain() == []
    assert probe.get_parameter('use_sim_time').type_ is Parameter.Type.BOOL


def test_publishers_are_looked_for_five_times_a_second(
    probe: Node, spin_until: Spin, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 1_000_000_000
    monkeypatch.setattr('taolora_ros.nodes.intake.time.monotonic_ns', lambda: now_ns)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False)
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    spin_until(lambda: probe.count_publishers('/a') == 1)
    now_ns += 199_000_000
    intake.follow()
    assert intake.waiting == ('/a',)
    now_ns += 1_000_000
    intake.follow()
    assert intake.waiting == ()
    spin_until(lambda: publisher.get_subscription_count() == 1)


def _until(intake: TopicIntake, spin_until: Spin, holds: Callable[[], bool]) -> None:
    def discovered() -> bool:
        intake.discover()
        return holds()

    spin_until(discovered)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (
            IntakeOptions(reliability=Reliability.RELIABLE),
            '/a: reliable is asked for, but best_effort is offered',
        ),
        (
            IntakeOptions(durability=Durability.TRANSIENT_LOCAL),
            '/a: transient_local is asked for, but volatile is offered',
        ),
    ],
)
def test_an_offer_that_cannot_serve_what_is_asked_for_is_reported(
    probe: Node, spin_until: Spin, options: IntakeOptions, said: str
) -> None:
    probe.create_publisher(Float64, '/a', BEST_EFFORT)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False, options=options)
    _until(intake, spin_until, lambda: intake.faults == (said,))


def test_best_effort_can_be_asked_of_a_reliable_publisher(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    options = IntakeOptions(reliability=Reliability.BEST_EFFORT)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False, options=options)
    connect(intake, [publisher])
    (info,) = probe.get_subscriptions_info_by_topic('/a')
    assert info.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
    assert intake.faults == ()


def test_several_publishers_are_merged_or_refused_as_configured(
    probe: Node, elsewhere: Callable[[], Node], spin_until: Spin, collect: Callable
) -> None:
    first = probe.create_publisher(Float64, '/a', RELIABLE)
    other = elsewhere()
    second = other.create_publisher(Float64, '/a', RELIABLE)
    refuse = IntakeOptions(publishers=Publishers.REFUSE)
    strict = TopicIntake(probe, ['/a'], depth=10, is_simulated=False, options=refuse)
    merged = TopicIntake(probe, ['/a'], depth=10, is_simulated=False)
    said = ('/a has 2 publishers, which is refused',)
    _until(strict, spin_until, lambda: strict.faults == said)
    _until(merged, spin_until, lambda: second.get_subscription_count() == 1)
    first.publish(Float64(data=1.0))
    second.publish(Float64(data=2.0))
    assert sorted(map(_value, collect(merged, 2))) == [1.0, 2.0]
    assert strict.drain() == []
    other.destroy_node()
    _until(strict, spin_until, lambda: strict.faults == () and not strict.waiting)


def test_a_publisher_that_vanishes_is_waited_for_and_its_return_is_no_loss(
    probe: Node,
    elsewhere: Callable[[], Node],
    spin_until: Spin,
    connect: Callable,
    collect: Callable,
) -> None:
    intake = TopicIntake(probe, ['/a'], depth=100, is_simulated=False)
    for _ in range(2):
        node = elsewhere()
        publisher = node.create_publisher(Float64, '/a', RELIABLE)
        connect(intake, [publisher])
        publisher.publish(Float64())
        collect(intake, 1)
        node.destroy_node()
        _until(intake, spin_until, lambda: intake.waiting == ('/a',))
    assert intake.lost == 0


def test_a_message_that_is_too_large_is_counted_and_skipped(
    probe: Node, connect: Callable, collect: Callable
) -> None:
    publisher = probe.create_publisher(String, '/a', RELIABLE)
    options = IntakeOptions(max_message_mb=0.001)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False, options=options)
    connect(intake, [publisher])
    publisher.publish(String(data='x' * 1001))
    publisher.publish(String(data='x'))
    (message,) = collect(intake, 1)
    assert len(message.data) < 20
    assert intake.oversized == 1


def test_messages_that_waited_longer_than_the_backlog_are_overdue(
    probe: Node, connect: Callable, spin_until: Spin, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = probe.create_publisher(Float64, '/a', RELIABLE)
    options = IntakeOptions(backlog_s=60.0)
    intake = TopicIntake(probe, ['/a'], depth=10, is_simulated=False, options=options)
    connect(intake, [publisher])
    publisher.publish(Float64())
    fresh: list[RawMessage] = []
    spin_until(lambda: bool(fresh.extend(intake.drain()) or fresh))
    assert intake.overdue == 0
    for number in range(3):
        publisher.publish(Float64(data=float(number)))
    later = SimpleNamespace(time_ns=lambda: time.time_ns() + 61_000_000_000)
    monkeypatch.setattr(nodes_intake, 'time', later)
    overdue: list[int] = []

    def have_all_come() -> bool:
        intake.drain()
        overdue.append(intake.overdue)
        return sum(overdue) == 3

    spin_until(have_all_come)


def test_two_hundred_topics_are_followed_though_a_few_are_looked_at_in_a_turn(
    probe: Node, spin_until: Spin
) -> None:
    topics = [f'/topic_{number}' for number in range(200)]
    intake = TopicIntake(probe, topics, depth=10, is_simulated=False)
    publishers = [probe.create_publisher(Float64, topic, BEST_EFFORT) for topic in topics]
    _until(intake, spin_until, lambda: not intake.waiting)
    probe.destroy_publisher(publishers[150])
    _until(intake, spin_until, lambda: intake.waiting == ('/topic_150',))
