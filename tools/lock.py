"""Writes tools/requirements/lock.txt: every package, pinned, for all supported Pythons.

Run it with the oldest supported Python (`make lock PYTHON=python3.10`): what installs there has
wheels for the newer ones too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent / 'requirements'
SOURCES = ('core.txt', 'test.txt', 'bench.txt', 'ros.txt')
# Newest releases that suit every Python from 3.10 to 3.13.
PINS = (
    'aeon==1.3.0',
    'matplotlib==3.10.8',
    'mujoco==3.17.0',
    'numba==0.61.2',  # aeon refuses newer
    'numpy==2.2.6',
    'onnx==1.23.2',
    'onnxruntime==1.23.2',
    'pandas==2.3.3',
    'pip==26.3',
    'scikit-learn==1.7.2',
    'scipy==1.15.3',
    'torch==2.13.0',
    'triton==3.7.1',
)
# A CUDA build of torch pins these itself; a CPU build needs none of them.
BROUGHT_BY_TORCH = re.compile(r'(nvidia|cuda)-.*')
HEADER = """\
# Written by tools/lock.py (`make lock`) from its neighbors; don't edit.
# The same versions on Python 3.10 to 3.13.
"""


def resolve() -> dict[str, str]:
    """Versions by package name, as pip chooses them for this Python."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.json'
        sources = [f'--requirement={HERE / name}' for name in SOURCES]
        options = ('--dry-run', '--ignore-installed', '--quiet', f'--report={report}')
        command = [sys.executable, '-m', 'pip', 'install', *options, *sources, *PINS]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text(encoding='utf-8'))['install']
    packages = (entry['metadata'] for entry in found)
    return {
        re.sub(r'[-_.]+', '-', item['name']).lower(): item['version'].partition('+')[0]
        for item in packages
    }


def main() -> None:
    if sys.version_info[:2] != (3, 10):
        sys.exit('error: lock with Python 3.10, the oldest supported: make lock PYTHON=python3.10')
    pinned = {
        name: version for name, version in resolve().items() if not BROUGHT_BY_TORCH.match(name)
    }
    lines = [f'{name}=={version}\n' for name, version in sorted(pinned.items())]
    (HERE / 'lock.txt').write_text(HEADER + ''.join(lines), encoding='utf-8')


if __name__ == '__main__':
    main()
