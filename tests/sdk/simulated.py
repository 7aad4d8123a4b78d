"""An event loop whose time passes at once: sleeps take none of ours, and every run is the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Instead of waiting for the next timer it makes it that time."""

    def __init__(self) -> None:
        self._now_s = 1_000.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    def run_in_executor(self, _: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Do at once what would be done in a thread: none ends in virtual time."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


class _Impatient(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is scheduled: this would wait for ever")
        if not ready and timeout:
            self._loop.advance(timeout)
        return ready


def simulate(story: Coroutine[Any, Any, T], limit_s: float = 3600.0) -> T:
    """Return what the story returns; virtual hours are free, but it must end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(asyncio.wait_for(story, limit_s))


async def at_once(work: Callable[[], T]) -> T:
    """Do on the loop what a real world does in a thread."""
    return work()


async def until(holds: Callable[[], bool], step_s: float = 0.01) -> None:
    while not holds():  # noqa: ASYNC110  the loop's time is virtual
        await asyncio.sleep(step_s)


async def outcome(work: Awaitable[T]) -> T | BaseException:
    """Return the result or the exception."""
    try:
        return await work
    except Exception as error:
        return error
