"""Plain values as TOML that one likes to read: short lists on one line, a list of tables as ``[[tables]]``.

Reading is the standard library's ``tomllib``.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def dumps(document: Mapping[str, Any]) -> str:
    """TOML of nested mappings.

    Args:
        document: by key text, bool, int, float, lists of these, lists of mappings, and mappings; no None.

    Returns:
        The text; ``tomllib.loads`` gives an equal document, with lists in place of tuples.

    Raises:
        TypeError: a value of another kind.

    >>> print(dumps({"seed": 0, "steps": [{"mode": "erode", "params": {"radius_px": [1, 4.5]}}]}), end="")
    seed = 0
    <BLANKLINE>
    [[steps]]
    mode = "erode"
    <BLANKLINE>
    [steps.params]
    radius_px = [1, 4.5]
    """
    return "\n".join(_table(document, "")).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], path: str) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if _is_table(value)}
    yield from (f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in inner)
    for key, value in inner.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        head = f"[{name}]" if isinstance(value, Mapping) else f"[[{name}]]"
        for item in [value] if isinstance(value, Mapping) else value:
            yield from ("", head, *_table(item, name))


def _is_table(value: Any) -> bool:
    many = isinstance(value, list | tuple) and bool(value) and all(isinstance(v, Mapping) for v in value)
    return many or isinstance(value, Mapping)


def _key(key: str) -> str:
    plain = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if plain else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case list() | tuple():
            nested = any(isinstance(item, list | tuple) for item in value)
            items = [_value(item) for item in value]
            return (
                "[\n" + "".join(f"    {item},\n" for item in items) + "]"
                if nested
                else f"[{', '.join(items)}]"
            )
    raise TypeError(f"TOML has no form for {value!r}")
