"""Ed25519 signatures over exact bytes, each for one purpose alone.

What is signed is the purpose's name, a zero byte, and the bytes as they travel. They are verified before anything reads
them, and never written anew: whoever carries a signed thing carries its bytes.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["KEY_BYTES", "SIGNATURE_BYTES", "Purpose", "Signer", "origin_of", "verify"]

KEY_BYTES = 32
SIGNATURE_BYTES = 64
ORIGIN_DIGITS = 32


class Purpose(StrEnum):
    """What a signature is for; one made for another purpose does not hold."""

    SERVER = "openslot.v1.server"
    """A server's description of itself."""
    KEY = "openslot.v1.key"
    """One of its keys vouches for the next."""
    SLOT = "openslot.v1.slot"
    """What stands under one number of a feed."""
    HEAD = "openslot.v1.head"
    """Where a feed ends, and what is in it."""
    MESSAGE = "openslot.v1.message"
    """A frame between two servers."""


class Signer:
    """One private key."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a private key has {KEY_BYTES} bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, purpose: Purpose, data: bytes) -> bytes:
        """Return the 64 bytes that vouch for `data`."""
        return self._key.sign(_said(purpose, data))


def verify(public: bytes, purpose: Purpose, data: bytes, signature: bytes) -> None:
    """Raise `OpenSlotError(SIGNATURE_INVALID)` unless this key signed these bytes for this purpose."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _said(purpose, data))
    except (InvalidSignature, ValueError):
        raise OpenSlotError(Code.SIGNATURE_INVALID, where=purpose.rsplit(".", 1)[1]) from None


def origin_of(root: bytes) -> str:
    """Return the name of the server whose first key is `root`: it stays when keys change."""
    return hashlib.sha256(root).hexdigest()[:ORIGIN_DIGITS]


def _said(purpose: Purpose, data: bytes) -> bytes:
    return purpose.encode("ascii") + b"\0" + data
