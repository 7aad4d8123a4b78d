"""Values that fit a JSON Schema as our API writes them, and values that almost do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def fitting(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit `schema`; its references lead into `definitions`."""
    match schema:
        case {"$ref": reference}:
            return fitting(definitions[reference.rpartition("/")[2]], definitions)
        case {"anyOf": choices}:
            return st.one_of(*(fitting(choice, definitions) for choice in choices))
        case {"enum": values} | {"const": values}:
            return st.sampled_from(values if isinstance(values, list) else [values])
        case {"type": "object"}:
            return _objects(schema, definitions)
        case {"type": "array"}:
            return _arrays(schema, definitions)
    return _SCALARS[schema["type"]](schema)


def nearly(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit, values with one part replaced, dropped or added, and any others."""
    good = fitting(schema, definitions)
    return good | st.builds(_damaged, good, st.randoms(use_true_random=False), ANY_JSON) | ANY_JSON


def _objects(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    parts = {name: fitting(part, definitions) for name, part in schema.get("properties", {}).items()}
    required = {name: parts[name] for name in schema.get("required", ())}
    optional = {name: part for name, part in parts.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def _arrays(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*(fitting(part, definitions) for part in schema["prefixItems"])).map(list)
    item = fitting(schema["items"], definitions)
    return st.lists(item, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 3), 3))


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"])
    return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 20))


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    return st.integers(low, high) if schema["type"] == "integer" else st.floats(low, high, allow_nan=False)


_SCALARS: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _strings,
    "integer": _numbers,
    "number": _numbers,
    "boolean": lambda _: st.booleans(),
}


def _damaged(value: Any, choice: Any, other: Any) -> Any:
    if not isinstance(value, dict) or not value or choice.random() < 0.2:
        return other
    name = choice.choice(sorted(value))
    damaged = {**value, name: _damaged(value[name], choice, other)}
    match choice.randrange(4):
        case 0:
            del damaged[name]
        case 1:
            damaged["unknown"] = other
    return damaged
