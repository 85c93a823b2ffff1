"""`pip install .`: the ROS-free core and the `taolora` command.

In a ROS 2 workspace, colcon builds the package with CMakeLists.txt instead (package.xml says so).
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'tools' / 'requirements' / name).read_text(encoding='utf-8').splitlines()
    return [line for line in (line.partition('#')[0].strip() for line in lines) if line]


def version() -> str:
    source = (ROOT / 'taolora_ros' / '__init__.py').read_text(encoding='utf-8')
    (found,) = re.findall(r"^__version__ = '(.+)'$", source, re.MULTILINE)
    return str(found)


setup(
    name='taolora_ros',
    version=version(),
    description="Catches physical events on a robot's sensor streams with a 4-bit model.",
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.10',
    packages=find_packages(include=['taolora_ros', 'taolora_ros.*']),
    package_data={'': ['*.j2', '*.xml', '*.yaml', 'py.typed']},
    data_files=[('share/taolora_ros/config', sorted(map(str, Path('config').glob('*.yaml'))))],
    install_requires=requirements('core.txt'),
    extras_require={name: requirements(f'{name}.txt') for name in ('bench', 'test')},
    entry_points={'console_scripts': ['taolora = taolora_ros.cli.main:main']},
    classifiers=[
        'Operating System :: POSIX :: Linux',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in (10, 11, 12, 13)),
        'Topic :: Scientific/Engineering',
        'Typing :: Typed',
    ],
)
