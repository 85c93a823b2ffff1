"""ROS parameters that are the fields of settings dataclasses: nothing is typed twice."""

from __future__ import annotations

import dataclasses
import enum
import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from taolora_ros.config import flat, overlay
from taolora_ros.errors import ConfigError, TaoloraError, nearest

T = TypeVar('T')
Kind = Parameter.Type

KINDS = {bool: Kind.BOOL, int: Kind.INTEGER, float: Kind.DOUBLE, str: Kind.STRING}
INT64_MAX = 2**63 - 1
FOREIGN = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')  # rclpy's own


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings dataclass as a parameter."""

    owner: type[Any]  # the outermost dataclass
    name: str  # dotted, e.g. 'detection.false_alarms_per_hour'
    kind: Kind
    needs_reconfigure: bool
    descriptor: ParameterDescriptor


def settings_of(kind: type[Any], *, without: Sequence[str] = ()) -> list[Setting]:
    """The leaves of a settings dataclass, depth first.

    Args:
        kind: the dataclass, its fields made by `config.setting`.
        without: outermost fields that are no parameters.
    """
    leaves = _leaves(kind, '')
    return [
        _setting(kind, name, hint, facts)
        for name, hint, facts in leaves
        if name.partition('.')[0] not in without
    ]


def _leaves(kind: type[Any], path: str) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, hint = f'{path}{field.name}', hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _leaves(typing.cast(type[Any], hint), f'{name}.')
        else:
            yield name, hint, field.metadata


def _setting(owner: type[Any], name: str, hint: Any, facts: Mapping[str, Any]) -> Setting:
    is_choice = isinstance(hint, type) and issubclass(hint, enum.Enum)
    kind = KINDS.get(str if is_choice else hint, Kind.STRING_ARRAY)
    low, high = facts.get('low'), facts.get('high')
    descriptor = ParameterDescriptor(name=name, type=kind.value, description=facts['description'])
    if is_choice:
        choices = ', '.join(str(member.value) for member in hint)
        descriptor.additional_constraints = f'one of {choices}'
    if kind is Kind.DOUBLE and (low, high) != (None, None):
        low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    if kind is Kind.INTEGER and (low, high) != (None, None):
        low, high = (-INT64_MAX if low is None else low), (INT64_MAX if high is None else high)
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return Setting(owner, name, kind, facts['reconfigure'], descriptor)


class Parameters:
    """The parameters of a node, and which of them the user has set.

    It reads the node's overrides itself: rclpy shows them only by declaring them, refuses those
    that hold an empty list, as `ros2 param dump` writes them, and says nothing of unknown names.
    """

    def __init__(self, node: Node, settings: Sequence[Setting]) -> None:
        """Declare the parameters; those that nobody sets hold no value until `show`.

        Raises:
            ConfigError: an override with an unknown name, of a wrong type or out of range.
        """
        self._node = node
        self._settings = {setting.name: setting for setting in settings}
        self._on_change: Callable[[Mapping[str, Any]], None] | None = None
        self._is_showing = False
        overrides: dict[str, Parameter] = node._parameter_overrides
        for name in overrides:
            if name not in self._settings and not name.startswith(FOREIGN):
                known = nearest(name, self._settings)
                raise ConfigError(f'parameters: unknown name {name!r}; {known}')
        self._explicit = {
            setting.name: self._declare(setting, overrides.get(setting.name))
            for setting in settings
        }
        node.add_on_set_parameters_callback(self._review)

    def _declare(self, setting: Setting, override: Parameter | None) -> Any:
        self._node.declare_parameter(
            setting.name, setting.kind, setting.descriptor, ignore_override=True
        )
        if override is None:
            return None
        value: Any = override.value
        if value is None:  # how an empty list arrives, which has no type
            value = []
        if value == [] and setting.kind is Kind.STRING_ARRAY:
            return value
        if setting.kind is Kind.DOUBLE and type(value) is int:
            value = float(value)  # `-p detection.merge_s:=1` means 1.0
        if Kind.from_parameter_value(value) is not setting.kind:
            wanted = setting.kind.name.lower().replace('_', ' ')
            raise ConfigError(f'{setting.name}: expected {wanted}, got {value!r}')
        (result,) = self._node.set_parameters([Parameter(setting.name, setting.kind, value)])
        if not result.successful:
            raise ConfigError(f'{setting.name}: {result.reason}')
        return value

    def fill(self, base: T, changes: Mapping[str, Any] | None = None) -> T:
        """A copy of settings with what the user has set on top.

        Args:
            base: what holds where the user has set nothing.
            changes: values by parameter name, in place of those that the user has set.

        Raises:
            ConfigError: a value that is not valid, alone or beside the others.
        """
        chosen = self._explicit if changes is None else changes
        nested: dict[str, Any] = {}
        for name, value in chosen.items():
            if value is None or self._settings[name].owner is not type(base):
                continue
            *above, leaf = name.split('.')
            level = nested
            for part in above:
                level = level.setdefault(part, {})
            level[leaf] = value
        return overlay(base, nested)

    def keep(self, values: Mapping[str, Any]) -> None:
        """Take values as if the user had set them: the next configuration uses them too.

        Args:
            values: by parameter name.
        """
        self._explicit.update(values)

    def show(self, settings: Any) -> None:
        """Let the parameters hold what is in force."""
        values = flat(settings)
        shown = [
            Parameter(name, self._settings[name].kind, value)
            for name, value in values.items()
            if name in self._settings and self._settings[name].owner is type(settings)
        ]
        self._is_showing = True
        try:
            self._node.set_parameters(shown)
        finally:
            self._is_showing = False

    def on_change(self, apply: Callable[[Mapping[str, Any]], None]) -> None:
        """Call `apply` with the values set at run time; what it raises refuses them."""
        self._on_change = apply

    def require_live(self, changes: Mapping[str, Any]) -> None:
        """Refuse changes that only a new configuration can bring about.

        Raises:
            ConfigError: names them.
        """
        names = [
            name
            for name, value in changes.items()
            if self._settings[name].needs_reconfigure
            and self._node.get_parameter_or(name).value != value
        ]
        if names:
            raise ConfigError(
                f'{", ".join(names)}: needs re-configure (lifecycle: deactivate, cleanup, then '
                'set and configure)'
            )

    def _review(self, parameters: list[Parameter]) -> SetParametersResult:
        if self._is_showing:
            return SetParametersResult(successful=True)
        changes = {
            parameter.name: parameter.value
            for parameter in parameters
            if parameter.name in self._settings
        }
        try:
            if changes and self._on_change is not None:
                self._on_change(changes)
        except TaoloraError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._explicit.update(changes)
        return SetParametersResult(successful=True)
