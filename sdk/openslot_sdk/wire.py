"""One connection: `openslot_spec.session` over a transport, requests as futures, no faster than the server allows."""

from __future__ import annotations

import asyncio

from openslot_sdk.outside import Transport
from openslot_spec.errors import SENTENCES, Code, OpenSlotError
from openslot_spec.messages import Error, Message
from openslot_spec.session import Received, Session

__all__ = ["Pace", "Wire", "code_of", "refusal"]

BURST_S = 0.5


class Pace:
    """When the next message may go, at `per_second` with bursts of half a second."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._due_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long the next message waits; call once a message."""
        self._due_s = max(self._due_s, now_s - BURST_S) + 1 / self.per_second
        return max(0.0, self._due_s - now_s)


class Wire:
    """A transport with a session on it; it lives as long as the transport."""

    def __init__(self, transport: Transport, session: Session, pace: Pace) -> None:
        self._transport = transport
        self._session = session
        self.pace = pace
        self._turn = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Message]] = {}

    async def send(self, body: Message) -> None:
        """Send a message that has no answer, or one whose answer `receive` returns."""
        await self._send(body, None)

    async def request(self, body: Message) -> Message:
        """Return the answer to `body`; raises the server's refusal as `OpenSlotError`."""
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        try:
            await self._send(body, answer)
            return await answer
        finally:
            self._waiting = {number: other for number, other in self._waiting.items() if other is not answer}

    async def receive(self) -> Received:
        """Return the next message that answers no request; answers go to those who asked."""
        while True:
            got = self._session.receive(await self._transport.receive())
            answer = self._waiting.get(got.re or 0)
            if answer is None or answer.done():
                return got
            if isinstance(got.body, Error):
                answer.set_exception(refusal(got.body))
            else:
                answer.set_result(got.body)

    async def close(self) -> None:
        """End the connection; requests without an answer raise `ConnectionError`."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the connection ended"))
        await self._transport.close()

    async def _send(self, body: Message, answer: asyncio.Future[Message] | None) -> None:
        async with self._turn:  # ids go out in their order
            await asyncio.sleep(self.pace.wait_s(asyncio.get_running_loop().time()))
            number, data = self._session.send(body)
            if answer is not None:
                self._waiting[number] = answer  # before the bytes go: the answer may be as quick
            await self._transport.send(data)


def refusal(error: Error) -> OpenSlotError:
    """Return what the other side refused."""
    code = code_of(error.code)
    detail = error.message if code.value == error.code else f"{error.code}: {error.message}"
    detail = detail.replace(SENTENCES[code], "").strip(" .")  # the exception says that sentence itself
    return OpenSlotError(code, detail, where=error.where, retry_after_ms=error.retry_after_ms)


def code_of(name: str) -> Code:
    """Return the code called `name`; one from a newer server becomes `INTERNAL`."""
    try:
        return Code(name)
    except ValueError:
        return Code.INTERNAL
