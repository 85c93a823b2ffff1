"""What the code imports is what package.xml and the requirements name."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from taolora_ros import __version__

ROOT = Path(__file__).parent.parent
MANIFEST = (ROOT / 'package.xml').read_text(encoding='utf-8')
# Name of a module, and of its distribution on PyPI, where they differ.
ON_PYPI = {'sklearn': 'scikit-learn', 'yaml': 'PyYAML'}
# Name of a module, and its rosdep key, where that is not the module's name.
ROSDEP = {
    'click': 'python3-click',
    'jinja2': 'python3-jinja2',
    'matplotlib': 'python3-matplotlib',
    'mujoco': 'python3-mujoco-pip',
    'numba': 'python3-numba',
    'numpy': 'python3-numpy',
    'rich': 'python3-rich',
    'rosbags': 'python3-rosbags-pip',
    'scipy': 'python3-scipy',
    'sklearn': 'python3-sklearn',
    'torch': 'python3-torch',
    'yaml': 'python3-yaml',
}
# package.xml says in a comment how to get them.
KEYLESS = {'aeon', 'llvmlite', 'onnx', 'onnxruntime', 'safetensors', 'triton'}
# What `pip install .` brings only where its extra is asked for.
EXTRAS = dict.fromkeys(('aeon', 'onnx', 'onnxruntime'), 'bench')
# Dependencies that no import statement shows.
UNSEEN = {
    'rosidl_default_runtime',  # of the generated messages
    'lifecycle_msgs',  # of rclpy.lifecycle
    'sensor_msgs',  # of the bags and topics watched
    'sensor_msgs_py',  # imported by name, where it is installed
    'launch',
    'launch_ros',
}


def imported() -> list[str]:
    """Top-level modules from outside that the package imports anywhere."""
    found: set[str] = set()
    for path in (ROOT / 'taolora_ros').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition('.')[0])
    return sorted(found - sys.stdlib_module_names - {'taolora_ros'})


def depended_on() -> set[str]:
    tags = {'depend', 'exec_depend', 'build_depend'}
    return {entry.text or '' for entry in ElementTree.fromstring(MANIFEST) if entry.tag in tags}


@pytest.mark.parametrize('module', imported())
def test_an_imported_module_is_a_dependency_of_the_ros_package(module: str) -> None:
    if module in KEYLESS:
        assert re.search(rf'<!-- {module}\b.*no rosdep key', MANIFEST)
    else:
        assert ROSDEP.get(module, module) in depended_on()


@pytest.mark.parametrize('module', imported())
def test_an_imported_module_is_a_requirement_of_pip_unless_it_is_ros(module: str) -> None:
    source = ROOT / 'tools' / 'requirements' / f'{EXTRAS.get(module, "core")}.txt'
    required = re.findall(r'^[\w-]+', source.read_text(encoding='utf-8'), re.MULTILINE)
    is_ros = module in depended_on()
    assert (ON_PYPI.get(module, module) in required) != (is_ros or module == 'triton')


def test_the_ros_package_depends_on_nothing_that_is_not_used() -> None:
    used = {ROSDEP.get(module, module) for module in imported()}
    assert depended_on() <= used | UNSEEN


def test_one_version_everywhere() -> None:
    assert ElementTree.fromstring(MANIFEST).findtext('version') == __version__
