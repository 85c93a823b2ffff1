"""Makes the source tree and what the build generated from msg/ one package, for .venv's Python.

A .pth file in .venv imports this at start. Python code lies in the source tree, where an edit or
a new file counts at once; `taolora_ros.msg` and its libraries lie in the install space.
"""

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / 'install' / 'taolora_ros'
PYTHON = f'python{sys.version_info.major}.{sys.version_info.minor}'
GENERATED = INSTALLED / 'lib' / PYTHON / 'site-packages' / 'taolora_ros'


class GeneratedFinder:
    """Looks in the install space for submodules of `taolora_ros` that the sources lack."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.rpartition('.')[0] != 'taolora_ros':
            return None
        return PathFinder.find_spec(name, [str(GENERATED)])


def prepend(variable, path):
    """Put a path before those that the variable holds, once."""
    paths = [known for known in os.environ.get(variable, '').split(os.pathsep) if known]
    if str(path) not in paths:
        os.environ[variable] = os.pathsep.join([str(path), *paths])


sys.meta_path.append(GeneratedFinder)
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
if not os.environ.get('ROS_DISTRO') and not os.environ.get('_ROS_WHEELS_BOOTSTRAP_COMPLETE'):
    # ROS 2 from PyPI: its wheels restart the interpreter right after this, once, to have their
    # libraries found. These join in, so that .venv/bin/python needs no sourced env.bash.
    prepend('AMENT_PREFIX_PATH', sys.prefix)
    prepend('AMENT_PREFIX_PATH', INSTALLED)
    prepend('LD_LIBRARY_PATH', INSTALLED / 'lib')
