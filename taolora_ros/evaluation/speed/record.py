"""The JSON of a bench: what was found, on what, when and how."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Protocol

from taolora_ros import __version__
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.hardware.probe import Machine

_PACKAGES = ('numpy', 'numba', 'torch', 'triton', 'onnxruntime', 'gemlite', 'torchao')


class Findings(Protocol):
    """The result of a bench."""

    def to_mapping(self) -> dict[str, Any]:
        """Figures by name; a table is a list of mappings with the same keys."""

    def targets(self) -> tuple[Target, ...]:
        """What had to be reached."""


def record(
    bench: str,
    findings: Findings | None,
    *,
    settings: Mapping[str, Any],
    machine: Machine,
    absence: str = '',
) -> dict[str, Any]:
    """Everything that a figure needs to be believed and repeated, as plain data.

    Args:
        bench: its name.
        findings: None where this machine lacks what is measured.
        settings: sizes of what was run.
        machine: what it ran on.
        absence: why there are no findings.
    """
    return {
        'bench': bench,
        'command': shlex.join(['taolora', *sys.argv[1:]]),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'versions': versions(_PACKAGES),
        'hardware': {**machine.facts(), 'load': _load()},
        'settings': dict(settings),
        'absence': absence,
        'results': findings.to_mapping() if findings else None,
        'targets': [target.to_mapping() for target in findings.targets()] if findings else [],
    }


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Of this package, of Python and of these packages; None where one is not installed."""
    return {
        'taolora_ros': __version__,
        'python': platform.python_version(),
        **{name: _version(name) for name in packages},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _load() -> str:
    """How busy the machine was, by its own account."""
    if not hasattr(os, 'getloadavg'):
        return 'unknown'
    minute, *_ = os.getloadavg()
    return f'{minute:.2f} processes waiting or running, mean of the last minute'
