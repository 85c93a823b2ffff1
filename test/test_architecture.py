"""The order of the layers, held by reading the imports."""

from __future__ import annotations

import ast
import fnmatch
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / 'taolora_ros'

# From the ground up: a module imports from its own layer and from those above it in this list.
LAYERS = (
    'errors',
    'plain_yaml',
    'config',
    'samples',
    'logging',
    'monitoring',
    'quantization',
    'kernels',  # also how all else that is compiled is compiled
    'signals',
    'ingest',
    'routing',
    'preservation',
    'model',
    'detection',
    'engine',
    'artifact',
    'pipeline',
    'training',
    'hardware',
    'bags',
    'evaluation',
    'simulation',
    'cli',
    'nodes',
    '__main__',
)
# Layers side by side, neither of which may know the other.
APART = (('cli', 'nodes'),)
# What comes from outside and may be imported in some files alone.
ONLY_IN = {
    'rclpy': ('nodes/*',),
    'triton': ('kernels/*/gpu*.py',),
    'torch': ('training/*', 'kernels/*/gpu*.py', 'evaluation/baselines*', 'evaluation/speed/*'),
    'onnx': ('evaluation/speed/onnx_*',),
    'onnxruntime': ('evaluation/speed/onnx_*',),
    'mujoco': ('simulation/*',),
    'click': ('cli/*',),
}
# What starting the detector must not pay for.
# Numba asks scipy for its version where it is installed, and loads no more of it.
NOT_FOR_INFERENCE = (
    'torch',
    'scipy.linalg',
    'scipy.sparse',
    'sklearn',
    'matplotlib',
    'mujoco',
    'rclpy',
    'pandas',
)
# What printing `--help` must not pay for.
NOT_FOR_HELP = (*NOT_FOR_INFERENCE, 'scipy', 'numpy', 'numba', 'rosbags', 'rich', 'yaml')


@dataclass(frozen=True)
class Import:
    """One import statement, at the top of a file or within a function."""

    file: str  # relative to the package, e.g. 'cli/train.py'
    line: int
    module: str  # absolute, e.g. 'taolora_ros.config'

    def __str__(self) -> str:
        return f'taolora_ros/{self.file}:{self.line} imports {self.module}'


def imports_of(source: str, file: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{file}:{node.lineno}: relative import'
            yield Import(file, node.lineno, node.module or '')
            if node.module == 'taolora_ros':
                for alias in node.names:
                    yield Import(file, node.lineno, f'taolora_ros.{alias.name}')


def files() -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob('*.py'))


def all_imports() -> list[Import]:
    return [
        found
        for file in files()
        for found in imports_of((PACKAGE / file).read_text(encoding='utf-8'), file)
    ]


def layer(file: str) -> str:
    """The layer of a file: its folder, or for a file beside the folders its own name."""
    return Path(file).parts[0].removesuffix('.py')


def imported_layer(module: str) -> str:
    """The layer of ours that an import reaches into; empty for what is not a layer of ours."""
    root, _, rest = module.partition('.')
    name = rest.partition('.')[0]
    return name if root == 'taolora_ros' and name not in ('', '__version__', 'msg', 'srv') else ''


def test_every_file_belongs_to_a_layer() -> None:
    strangers = {layer(file) for file in files()} - set(LAYERS) - {'__init__'}
    assert not strangers, f'not in LAYERS: {sorted(strangers)}; see DESIGN for the order'


def test_imports_point_down_only() -> None:
    wrong = [
        str(found)
        for found in all_imports()
        if (target := imported_layer(found.module)) and layer(found.file) != '__init__'
        if LAYERS.index(target) > LAYERS.index(layer(found.file))
    ]
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize(('one', 'other'), APART)
def test_siblings_do_not_know_each_other(one: str, other: str) -> None:
    wrong = [
        str(found)
        for found in all_imports()
        if {layer(found.file), imported_layer(found.module)} == {one, other}
    ]
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize('package', ONLY_IN)
def test_a_heavy_package_stays_where_it_belongs(package: str) -> None:
    wrong = [
        str(found)
        for found in all_imports()
        if found.module.partition('.')[0] == package
        if not any(fnmatch.fnmatch(found.file, pattern) for pattern in ONLY_IN[package])
    ]
    assert not wrong, '\n'.join(wrong)


def test_the_generated_messages_are_imported_by_nodes_alone() -> None:
    wrong = [
        str(found)
        for found in all_imports()
        if found.module.startswith('taolora_ros.msg') and layer(found.file) != 'nodes'
    ]
    assert not wrong, '\n'.join(wrong)


def test_the_package_itself_imports_nothing() -> None:
    source = (PACKAGE / '__init__.py').read_text(encoding='utf-8')
    assert list(imports_of(source, '__init__.py')) == []


def test_a_folder_says_what_it_holds_and_its_init_computes_nothing() -> None:
    for path in PACKAGE.rglob('__init__.py'):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        assert ast.get_docstring(tree), f'{path}: no docstring'
        if path.parent.parent == PACKAGE / 'kernels':
            continue  # a kernel's folder chooses its engine here
        allowed = (ast.Expr, ast.ImportFrom, ast.Assign)
        assert all(isinstance(node, allowed) for node in tree.body), f'{path}: computes something'


def modules_after(statement: str) -> set[str]:
    """Modules that a fresh interpreter holds after one statement."""
    report = 'import sys; print(*sys.modules)'
    done = subprocess.run(
        [sys.executable, '-c', f'{statement}\n{report}'],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_inference_loads_nothing_that_only_training_needs() -> None:
    loaded = modules_after('import taolora_ros.engine, taolora_ros.pipeline')
    assert not loaded & set(NOT_FOR_INFERENCE)


def test_help_loads_nothing_heavy() -> None:
    loaded = modules_after("from taolora_ros.cli.main import run; assert run(['--help']) == 0")
    assert not loaded & set(NOT_FOR_HELP)


def test_importing_the_package_loads_nothing_of_it() -> None:
    loaded = 'import sys, taolora_ros; assert not [m for m in sys.modules if "taolora_ros." in m]'
    assert 'taolora_ros' in modules_after(loaded)
