"""A process within the simulation: whatever is started in it ends with it, at once and without a last word."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
Work = Coroutine[Any, Any, T]
_here: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """Owns every task that its tasks start. What a killed task does while it is unwound must find only dead things."""

    def __init__(self) -> None:
        self.alive = True
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` in this process."""
        token = _here.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            _here.reset(token)

    def kill(self) -> None:
        """End it as the kernel would."""
        self.alive = False
        for task in tuple(self._tasks):
            task.cancel()

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take a task that was started here."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        if not self.alive:
            task.cancel()


def own_tasks(
    loop: asyncio.AbstractEventLoop, work: Work[T] | Generator[Any, None, T], context: Context | None = None
) -> asyncio.Task[T]:
    """Make a task that belongs to the process in which it is started; for `loop.set_task_factory`."""
    task = asyncio.Task(work, loop=loop, context=context)
    process = _here.get()
    if process is not None:
        process.adopt(task)
    return task
