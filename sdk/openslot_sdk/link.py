"""The link to a server, kept up for as long as it runs.

    run ──▶ dial ──▶ hello/welcome ──▶ read and answer ──▶ ended ──▶ back off with jitter ──▶ dial …
                                    └─▶ the listener's duties, cancelled when it ends

A refusal that trying again cannot change ends `run`; everything else is tried again for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from openslot_sdk.outside import Outside
from openslot_sdk.wire import Pace, Wire, refusal
from openslot_spec.codec import MSGPACK
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import HELLO_DEADLINE_MS
from openslot_spec.messages import VERSION, Bye, Error, Hello, Message, Welcome
from openslot_spec.session import Session

__all__ = ["Caller", "Link", "Listener", "backoff_ms"]

NOT_WELCOME = frozenset({Code.KEY_UNKNOWN, Code.ROLE_FORBIDDEN})
NO_SERVER = frozenset({Code.UNSUPPORTED_VERSION, Code.CONFIG_INVALID})
"""Final before the first `welcome`; later a server that speaks otherwise is one that is being replaced."""
DIAL_DEADLINE_S = 10.0
ANSWER_DEADLINE_S = 10.0
FIRST_BACKOFF_MS = 250
LONGEST_BACKOFF_MS = 30_000
FIRST_PACE_PER_S = 10.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls where."""

    address: str
    key: str
    world: str
    sdk: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a link tells: `duties` run during each connection, `push` takes messages nobody asked for.

    `say` hears once of each time without a connection why there is none. Duties never return; a refusal they raise ends
    the connection.
    """

    duties: tuple[Callable[[Welcome], Coroutine[Any, Any, None]], ...]
    push: Callable[[Message], None]
    say: Callable[[OpenSlotError], None]


class Link:
    """One world's connection, one after the other."""

    def __init__(self, caller: Caller, outside: Outside, listener: Listener) -> None:
        self._caller = caller
        self._outside = outside
        self._listener = listener
        self._wire: Wire | None = None
        self._session: str | None = None
        self._failures = 0
        self._tried = asyncio.Event()
        self.trouble: OpenSlotError | None = None
        """Why there is no connection now."""
        self.refusal: OpenSlotError | None = None
        """Why there will be none."""

    @property
    def ready(self) -> bool:
        """Whether the server said `welcome` on a connection that still stands."""
        return self._wire is not None

    async def first_try(self) -> None:
        """Return once the server said `welcome`, refused, or could not be reached."""
        await self._tried.wait()

    async def run(self) -> None:
        """Keep a connection up; returns only after a final refusal."""
        while True:
            self.trouble = await self._connection()
            if self.trouble.code in NOT_WELCOME or (self._session is None and self.trouble.code in NO_SERVER):
                self.refusal = self.trouble
            self._tried.set()
            if self.refusal is not None:
                return
            if not self._failures:
                self._listener.say(self.trouble)
            self._failures += 1
            pause_ms = backoff_ms(self._failures, self._outside.entropy(2))
            await asyncio.sleep(max(pause_ms, self.trouble.retry_after_ms) / 1000)

    async def request(self, body: Message) -> Message:
        """Return the server's answer.

        Raises:
            OpenSlotError: the server's refusal, or `SERVER_AWAY` without a connection or an answer in time.
        """
        wire = self._wire
        if wire is None:
            raise OpenSlotError(Code.SERVER_AWAY, "no connection", where=self._caller.address)
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                return await wire.request(body)
        except OSError as error:  # TimeoutError is one
            await wire.close()  # a server that does not answer is not there; the next connection goes on
            raise self._away(error) from None

    async def goodbye(self) -> None:
        """Tell the server, if there is one, that nothing follows."""
        if self._wire is not None:
            with suppress(OSError, OpenSlotError):
                await self._wire.send(Bye())

    async def _connection(self) -> OpenSlotError:
        """Live through one connection and return why it ended."""
        try:
            async with asyncio.timeout(DIAL_DEADLINE_S):
                transport = await self._outside.dial(self._caller.address)
            wire = Wire(transport, Session("world", MSGPACK), Pace(FIRST_PACE_PER_S))
            try:
                await self._live(wire, await self._greet(wire))
            finally:
                self._wire = None
                await wire.close()
        except OpenSlotError as error:
            return error
        except OSError as error:
            return self._away(error)
        return self._away(ConnectionError("the connection ended"))

    async def _greet(self, wire: Wire) -> Welcome:
        caller = self._caller
        hello = Hello(
            versions=(VERSION,), role="world", key=caller.key, world=caller.world, sdk=caller.sdk, resume=self._session
        )
        async with asyncio.timeout(HELLO_DEADLINE_MS / 1000):
            await wire.send(hello)
            body = (await wire.receive()).body
        match body:
            case Welcome():
                return body
            case Error():
                raise refusal(body)
            case _:
                raise OpenSlotError(Code.SERVER_AWAY, "no welcome", retry_after_ms=getattr(body, "retry_after_ms", 0))

    async def _live(self, wire: Wire, welcome: Welcome) -> None:
        self._wire, self._session, self._failures, self.trouble = wire, welcome.session, 0, None
        wire.pace.per_second = welcome.limits.messages_per_second
        self._tried.set()
        duties = (duty(welcome) for duty in self._listener.duties)
        work = [asyncio.create_task(each) for each in (self._read(wire), *duties)]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _read(self, wire: Wire) -> None:
        while True:
            body = (await wire.receive()).body
            match body:
                case Error():
                    raise refusal(body)
                case Bye():
                    raise OpenSlotError(Code.SHUTTING_DOWN, body.reason, retry_after_ms=body.retry_after_ms)
                case _:
                    self._listener.push(body)

    def _away(self, why: OSError) -> OpenSlotError:
        detail = "no answer in time" if isinstance(why, TimeoutError) else str(why) or type(why).__name__
        return OpenSlotError(Code.SERVER_AWAY, detail, where=self._caller.address)


def backoff_ms(failures: int, randomness: bytes) -> int:
    """Return the pause before the next try: doubling with each failure, and between half and all of it by chance."""
    longest = min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(failures, 10))
    return longest * (65_536 + int.from_bytes(randomness, "big")) // 131_072
