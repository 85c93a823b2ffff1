"""The detector: a lifecycle node that watches topics and publishes the events it finds.

Run it as `python -m taolora_ros.nodes.detector --ros-args -p model:=rosa.safetensors`.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from taolora_ros.config import Config
from taolora_ros.errors import ConfigError, TaoloraError
from taolora_ros.nodes.hop_timer import again
from taolora_ros.nodes.loading import open_session
from taolora_ros.nodes.logs import bridge_logs
from taolora_ros.nodes.options import DetectorOptions
from taolora_ros.nodes.outlet import Outlet
from taolora_ros.nodes.parameters import Parameters, settings_of
from taolora_ros.nodes.process import serve
from taolora_ros.nodes.services import serve_operations
from taolora_ros.nodes.session import Session
from taolora_ros.nodes.watcher import Watcher

NOT_PARAMETERS = ('labels', 'model', 'quantization', 'training')  # of no use once trained
DELIVERY_S = 0.3  # how long the last event may take to reach its subscribers


class Detector(LifecycleNode):
    """Parameters to settings, messages to the session, hops to messages."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; everything heavy waits for `configure`.

        Args:
            options: those of rclpy's Node. Several detectors in one process each take a
                `namespace`; `cli_args` remaps the topics of one alone.

        Raises:
            ConfigError: a parameter with an unknown name, of a wrong type or out of range.
        """
        super().__init__('taolora_detector', **options)
        bridge_logs(self)
        self.exit_code: int | None = None
        self._settings = Parameters(
            self, settings_of(DetectorOptions) + settings_of(Config, without=NOT_PARAMETERS)
        )
        self._settings.on_change(self._change)
        self._options = self._settings.fill(DetectorOptions())
        self._session: Session | None = None
        self._watcher: Watcher | None = None
        self._ticker: Timer | None = None  # drains
        self._outlet = Outlet(self)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self._every(self._options.status_s, self._report)
        serve_operations(self, self._active, self._load_model)

    def _every(self, period_s: float, callback: Callable[[], None]) -> Timer:
        return self.create_timer(period_s, callback, clock=self._steady)

    def start(self) -> None:
        """Configure and activate, unless the user wants to; a failure ends the process."""
        if not self._options.autostart:
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() is not TransitionCallbackReturn.SUCCESS:
                self.exit_code = 1
                return

    def leave(self) -> None:
        """Close the open event and let it reach its subscribers."""
        if self.exit_code is None:
            self.trigger_shutdown()
        self._outlet.await_delivery(DELIVERY_S)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the artifact and make the engine ready."""
        return self._attempt(self._open)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and begin to watch."""
        super().on_activate(state)
        return self._attempt(self._watch)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the open event and unsubscribe."""
        self._unwatch()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the artifact."""
        self._session = None
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the open event; the process ends."""
        self._unwatch()
        self.exit_code = 0
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget what a failed transition left behind."""
        self._unwatch()
        self._session = None
        return super().on_error(state)

    def _attempt(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except TaoloraError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would swallow it without a word
            self.get_logger().fatal(f'internal error: {type(error).__name__}: {error}')
            self.get_logger().debug(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _open(self) -> None:
        self._options = self._settings.fill(DetectorOptions())
        self._session = open_session(self._options, self._settings)
        self._show()

    def _show(self) -> None:
        assert self._session is not None
        self._settings.show(self._options)
        self._settings.show(self._session.config)

    def _watch(self) -> None:
        assert self._session is not None
        self._watcher = Watcher(self, self._session, self._outlet, self._options)
        self._ticker = self._every(self._options.drain_s, self._drain)

    def _drain(self) -> None:
        assert self._ticker is not None
        again(self._ticker, self._active().keep_up())

    def _unwatch(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            self.destroy_timer(ticker)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()

    def _report(self) -> None:
        if self._session is not None and self._watcher is not None:
            status = self._session.report(self.get_clock().now().nanoseconds)
            self._outlet.report(status, self._watcher.source(), model=self._options.model)
        else:
            reason = 'not active' if self._session else 'not configured'
            self._outlet.report_idle(reason, model=self._options.model)

    def _change(self, changes: Mapping[str, Any]) -> None:
        if self._session is None:
            self._settings.fill(Config(), changes)
            return
        self._settings.require_live(changes)
        self._session.retune(self._settings.fill(self._session.config, changes))

    def _active(self) -> Watcher:
        if self._watcher is None:
            raise ConfigError('the detector is not active; activate it first')
        return self._watcher

    def _load_model(self, path: str) -> str:
        """Swap the artifact between two hops; a later configuration takes the new one too."""
        options = dataclasses.replace(self._options, model=path)
        said = self._active().swap(lambda: open_session(options, self._settings))
        self._session, self._options = self._active().session, options
        self._settings.keep({'model': path})
        self._show()
        return said


def main() -> None:
    """Run the detector as a process."""

    def make() -> Detector:
        detector = Detector()
        detector.start()
        return detector

    serve(make)


if __name__ == '__main__':
    main()
