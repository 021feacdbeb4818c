"""Ctrl-C and SIGTERM: the first ends the checks of a canary; none interrupts its clean-up."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Raises KeyboardInterrupt at the first signal; after it, or after ``hold``, only prints a notice.

    Args:
        tell: Called with the notice.
        describe: Returns the notice.
    """

    def __init__(self, tell: Callable[[str], None], describe: Callable[[], str]) -> None:
        self._tell = tell
        self._describe = describe
        self._is_held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """Let no signal interrupt from here on."""
        self._is_held = True

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_held:
            self._tell(self._describe())
            return
        self._is_held = True
        raise KeyboardInterrupt
