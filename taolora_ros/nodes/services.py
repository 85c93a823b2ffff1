"""The detector's services: each calls one operation and answers with its result or refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from taolora_ros.errors import TaoloraError
from taolora_ros.logging import logger
from taolora_ros.srv import LoadModel

log = logger(__name__)


class Operations(Protocol):
    """What users may ask of a detector; each says what it did, or raises TaoloraError."""

    def reset(self) -> str:
        """Begin a new session."""

    def enable(self, is_on: bool) -> str:
        """Score, or only read and count."""

    def rebase(self) -> str:
        """Re-base the channels."""

    def snapshot(self) -> str:
        """Write what is remembered now."""


def serve_operations(
    node: Node, active: Callable[[], Operations], load_model: Callable[[str], str]
) -> None:
    """Offer the operations as services in the node's private namespace.

    Args:
        node: serves them.
        active: the detector that is active; raises TaoloraError where none is.
        load_model: swaps the artifact for the one at a path, and says what came of it.
    """

    def offer(kind: Any, name: str, call: Callable[[Any], str]) -> None:
        def answer(request: Any, response: Any) -> Any:
            response.success, response.message = attempt(name, lambda: call(request))
            return response

        node.create_service(kind, f'~/{name}', answer)

    offer(Trigger, 'reset', lambda request: active().reset())
    offer(SetBool, 'enable', lambda request: active().enable(request.data))
    offer(Trigger, 'rebase', lambda request: active().rebase())
    offer(Trigger, 'snapshot', lambda request: active().snapshot())
    offer(LoadModel, 'load_model', lambda request: load_model(request.path))


def attempt(name: str, call: Callable[[], str]) -> tuple[bool, str]:
    """Whether an operation succeeded, and what it said.

    Args:
        name: what it is called in the log.
        call: does it.
    """
    try:
        message = call()
    except TaoloraError as error:
        log.warning('refused', service=name, reason=error)
        return False, str(error)
    log.info('asked for', service=name, result=message)
    return True, message
