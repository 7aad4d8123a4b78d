"""The base of every record that crosses an edge, and the number types they share.

One rule for optional fields: a field that is left out has its default; `null` is never written and never accepted.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["NULL", "Finite", "Id", "Micros", "Money", "Quaternion", "Record", "Sha256", "TimeMs", "Vec3"]

Finite = Annotated[float, Field(ge=-1e9, le=1e9)]
Vec3 = Annotated[tuple[Finite, Finite, Finite], Field(strict=False)]
Quaternion = Annotated[tuple[Finite, Finite, Finite, Finite], Field(strict=False)]
"""x, y, z, w; unit length."""
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
"""A name a person may read: letters, digits and . _ : / -."""
Line = Annotated[
    str,
    Field(
        min_length=1,
        max_length=120,
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f\u200b-\u202e\u2060-\u206f\ufeff]"
        r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$",
    ),
]
"""One line of text that begins with something to see; nothing in it breaks the line or turns its direction."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Micros = Annotated[int, Field(ge=0, le=2**53)]
"""Millionths of a currency unit."""
TimeMs = Annotated[int, Field(ge=0, le=2**53)]
"""Milliseconds since 1970-01-01 UTC."""


NULL = "null is never written; leave the field out"


class Record(BaseModel):
    """A frozen record with strict types and no unknown fields."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def parse(cls, data: object, code: Code = Code.INVALID) -> Self:
        """Return the record in `data`; raises `OpenSlotError(code)` that names the first bad field."""
        null = _find_null(data)
        if null is not None:
            raise OpenSlotError(code, NULL, where=null)
        return cls.read(data, code)

    @classmethod
    def read(cls, data: object, code: Code = Code.INVALID) -> Self:
        """Return the record in `data` as `parse` does, where nothing is null anywhere."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = "/".join(str(part) for part in first["loc"])
            raise OpenSlotError(code, first["msg"].removeprefix("Value error, "), where=where) from None

    def plain(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def digest(self) -> str:
        """Return the sha-256 of the record's canonical JSON (RFC 8785), in hexadecimal."""
        return hashlib.sha256(rfc8785.dumps(self.plain())).hexdigest()


def _find_null(data: object) -> str | None:
    if data is None:
        return ""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, value in items:
        if value is None:
            return str(name)
        if isinstance(value, dict | list) and (below := _find_null(value)) is not None:
            return f"{name}/{below}"
    return None


class Money(Record):
    """An amount in millionths of a currency unit."""

    micros: Micros
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
