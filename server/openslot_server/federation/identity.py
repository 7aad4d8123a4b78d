"""Who this server is to others: its keys, and the description that they sign."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openslot_server.storage.store import DescriptionRow, ServerKeyRow
from openslot_spec.creatives import HttpUrl
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.servers import Sealed, Server, seal, vouch
from openslot_spec.signing import KEY_BYTES, Signer, origin_of

__all__ = ["Identity", "founded"]

KEY_MS = 2 * 365 * 24 * 3_600_000
"""How long a key holds."""
BACKDATED_MS = 300_000
"""So that whose clock is behind takes it at once."""


def founded(entropy: Callable[[int], bytes], now_ms: int) -> ServerKeyRow:
    """Return a new server's first key."""
    secret = entropy(KEY_BYTES)
    return ServerKeyRow(Signer(secret).public, secret, now_ms)


class Identity:
    """This server's keys and description; what changes them returns rows, and holds once these are durable.

    Args:
        keys: the oldest first; it names the server.
        known: our description as it was last sealed, if it ever was.
    """

    def __init__(self, keys: Iterable[ServerKeyRow], known: Sealed | None, name: str, http: HttpUrl) -> None:
        self._secrets = [Signer(row.secret) for row in keys]
        self.origin = origin_of(self._secrets[0].public)
        self._name = name
        self._http = http
        self.sealed = known
        self.server = None if known is None else Server.model_validate_json(known.signed)

    @property
    def signer(self) -> Signer:
        """The key that signs."""
        return self._secrets[-1]

    def describe(self, now_ms: int) -> list[DescriptionRow]:
        """Say who we are, if that is not said already."""
        if self.server is not None and (self.server.name, self.server.http) == (self._name, self._http):
            return []
        if self.server is not None:
            return self._say(self.server.model_copy(update={"name": self._name, "http": self._http}), now_ms)
        root = self._secrets[0]
        key = vouch(root, self.origin, root.public, now_ms - BACKDATED_MS, now_ms + KEY_MS)
        first = Server(
            origin=self.origin, name=self._name, seq=1, issued_ms=now_ms, keys=(key,), http=self._http
        )  # fmt: skip
        return self._say(first, now_ms, seq=1)

    def rotate(self, key: ServerKeyRow, now_ms: int) -> list[ServerKeyRow | DescriptionRow]:
        """Let a new key sign from now on; the one before holds until its end."""
        server = self._described()
        new = vouch(self.signer, self.origin, key.public, now_ms, now_ms + KEY_MS)
        self._secrets.append(Signer(key.secret))
        return [key, *self._say(server.model_copy(update={"keys": (*server.keys, new)}), now_ms)]

    def revoke(self, public: str, now_ms: int) -> list[DescriptionRow]:
        """End a key at once; raises `KEY_NOT_HELD` unless it is one of ours, and not the one that signs."""
        server = self._described()
        if public == self.signer.public.hex():
            raise OpenSlotError(Code.KEY_NOT_HELD, "it is the key that signs; rotate first", where=public[:16])
        if public not in {key.public for key in server.keys}:
            raise OpenSlotError(Code.KEY_NOT_HELD, "no key of this server", where=public[:16])
        last_ms = max((key.from_ms for key in server.keys if key.by == public), default=0)
        ended = {"revoked_ms": max(now_ms, last_ms + 1)}  # what it vouched for before stays vouched for
        keys = tuple(key.model_copy(update=ended) if key.public == public else key for key in server.keys)
        return self._say(server.model_copy(update={"keys": keys}), now_ms)

    def _say(self, server: Server, now_ms: int, seq: int | None = None) -> list[DescriptionRow]:
        said = server.model_copy(update={"seq": seq or server.seq + 1, "issued_ms": now_ms})
        self.server, self.sealed = said, seal(said, self.signer)
        return [DescriptionRow(self.origin, self.sealed.model_dump_json(), now_ms)]

    def _described(self) -> Server:
        if self.server is None:
            raise OpenSlotError(Code.SERVER_INVALID, "not described yet")
        return self.server
