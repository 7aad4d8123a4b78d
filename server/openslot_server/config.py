"""The server's settings: from a TOML file, from `OPENSLOT_*` variables, or given by the caller, in rising order."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import HELLO_DEADLINE_MS, Limits
from openslot_spec.records import Line

__all__ = ["MAX_PLACEMENT_MS", "Settings"]

MAX_PLACEMENT_MS = 3_600_000
Span = Annotated[int, Field(ge=0, le=30 * 24 * 3_600_000)]


class Settings(BaseSettings):
    """Everything that can be set. Times are in milliseconds, shares in parts per million."""

    model_config = SettingsConfigDict(env_prefix="OPENSLOT_", extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8787
    """0 takes any free port."""
    database: Path = Path("openslot.sqlite3")
    assets: Path | None = None
    """The folder in which creatives are kept by sha-256; left out: `<database>.assets`."""
    operator_key: Annotated[str, Field(pattern=r"^(|ok_operator_[A-Za-z0-9_-]{16,100})$")] = ""
    """Empty: one is made at the first start and printed once."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """In which everything is priced and settled."""
    auction: Literal["first_price", "second_price"] = "first_price"
    """Whether a winner pays its own bid, or what the next advertiser would have paid."""
    platform_fee_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 100_000
    placement_ms: Annotated[int, Field(ge=1_000, le=MAX_PLACEMENT_MS)] = 30_000
    """How long a placement may be shown."""
    skew_ms: Span = 5_000
    """How far a world's clock may be off."""
    settle_grace_ms: Span = 60_000
    """How long after a placement's end its reservation waits for late events."""
    late_ms: Span = 24 * 3_600_000
    """How long after a placement's end its events are still taken, from the budget that is left."""
    audit_ppm: Annotated[int, Field(ge=0, le=50_000)] = 20_000
    """The share of impressions with a commitment whose evidence is asked for."""
    hello_deadline_ms: Annotated[int, Field(ge=10, le=60_000)] = HELLO_DEADLINE_MS
    outbound_bytes: Annotated[int, Field(ge=1_024, le=256 * 1024 * 1024)] = 4 * 1024 * 1024
    """Bytes that may wait for one connection's reader."""
    requests_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Over HTTP, with one API key; as many at once after a quiet second."""
    requests_per_second_of_address: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """Over HTTP from one address, with or without a key, creatives and handshakes of sockets among them."""
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    quota_bytes: Annotated[int, Field(ge=1, le=2**50)] = 2 * 1024**3
    """Of creatives that one advertiser may keep, uploads on their way among them; withdrawn ones do not count."""
    quota_creatives: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
    limits: Limits = Limits()
    """In a variable: as JSON."""
    name: Line = "An OpenSlot server"
    """What other servers' operators read."""
    public_url: Annotated[str, Field(pattern=r"^(|https?://[^\s]{1,1990})$")] = ""
    """Where others reach this server; empty: at `host` and `port`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("limits")
    @classmethod
    def _within_the_protocol(cls, limits: Limits) -> Limits:
        for name, most in Limits().model_dump().items():
            if getattr(limits, name) > most:
                raise ValueError(f"{name} is above the protocol's {most}")
        return limits

    @property
    def address(self) -> str:
        """Where this server says it is reached."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def library(self) -> Path:
        """Where creatives are kept."""
        return self.assets or self.database.with_name(self.database.name + ".assets")

    @classmethod
    def read(cls, file: Path | None = None, **given: Any) -> Self:
        """Return the settings; `given` beats variables, variables beat the file. `None` means not given.

        Raises:
            OpenSlotError: `CONFIG_INVALID` naming the setting, or `FILE_NOT_FOUND`.
        """
        written = {} if file is None else _read_toml(file)
        try:
            from_variables = cls().model_dump(exclude_unset=True)
            stated = {name: value for name, value in given.items() if value is not None}
            return cls(**{**written, **from_variables, **stated})
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise OpenSlotError(Code.CONFIG_INVALID, first["msg"], where=where) from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise OpenSlotError(Code.FILE_NOT_FOUND, error.strerror or "cannot be read", where=str(file)) from None
    except ValueError as error:
        raise OpenSlotError(Code.CONFIG_INVALID, f"not TOML: {error}", where=str(file)) from None
