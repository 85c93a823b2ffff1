"""The SROS 2 policy allows what the node really offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import rclpy
from rclpy.node import Node

from taolora_ros.nodes.detector import Detector

POLICY = Path(__file__).parents[2] / 'config' / 'sros2' / 'detector.policy.xml'


def _allowed(kind: str, access: str) -> set[str]:
    """Full names that the detector's profile allows."""
    root = ElementTree.fromstring(POLICY.read_text(encoding='utf-8'))
    (profile,) = root.iterfind(".//profile[@node='taolora_detector']")
    names = [
        entry.text or ''
        for group in profile.iterfind(f"{kind}s[@{access}='ALLOW']")
        for entry in group
    ]
    return {
        name.replace('~/', '/taolora_detector/') if name[0] in '~/' else f'/{name}'
        for name in names
    }


def test_the_policy_allows_every_topic_and_service_that_the_node_offers(
    ros: int, probe: Node, spin_until: Callable
) -> None:
    detector = Detector()
    own = (detector.get_name(), '/')

    def offered(find: Callable) -> set[str]:
        return {name for name, _ in find(*own)}

    spin_until(lambda: bool(offered(probe.get_service_names_and_types_by_node)))
    services = offered(detector.get_service_names_and_types_by_node)
    topics = offered(detector.get_publisher_names_and_types_by_node)
    assert services <= _allowed('service', 'reply')
    assert topics <= _allowed('topic', 'publish')
    assert {'/taolora_detector/load_model', '/taolora_detector/enable'} <= services
    assert '/taolora/anomalies' in topics
    detector.destroy_node()
    assert rclpy.ok()
