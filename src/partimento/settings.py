"""A frozen dataclass of settings as JSON and back, every value checked against its type."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from partimento.errors import ModelError, nearest


def config_to_json(config: Any) -> dict[str, Any]:
    """The fields of a config as JSON-ready values; tuples become lists.

    >>> import dataclasses
    >>> config_to_json(dataclasses.make_dataclass("C", [("orders", tuple[int, ...], (1, 2))])())
    {'orders': [1, 2]}
    """
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def config_from_json(kind: type, values: Mapping[str, Any]) -> Any:
    """A config of class `kind` out of JSON values or settings by name; ModelError names what does not fit.

    >>> import dataclasses
    >>> C = dataclasses.make_dataclass("C", [("orders", tuple[int, ...], (1, 2)), ("decay", float, 0.5)])
    >>> config_from_json(C, {"orders": [3], "decay": 1})
    C(orders=(3,), decay=1.0)
    """
    fields = {field.name for field in dataclasses.fields(kind) if field.init}
    hints = typing.get_type_hints(kind)
    fitted = {}
    for name, value in values.items():
        if name not in fields:
            raise ModelError(nearest(name, fields, "setting"))
        try:
            fitted[name] = _fit(value, hints[name])
        except ValueError:
            raise ModelError(f"setting {name} must be {_words(hints[name])}; got {value!r}") from None
    return kind(**fitted)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return config_to_json(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _fit(value: Any, hint: Any) -> Any:
    """`value` as the type `hint` wants it; ValueError where it is of another type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for option in args:
            try:
                return _fit(value, option)
            except ValueError:
                continue
    elif origin is typing.Literal:
        if value in args:
            return value
    elif hint is type(None):
        if value is None:
            return None
    elif hint is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
            return float(value)
    elif hint in (bool, int, str):
        if type(value) is hint:
            return value
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if isinstance(value, Mapping):
            return config_from_json(hint, value)
    elif (origin or hint) in (tuple, list, Sequence) and isinstance(value, (list, tuple)):
        return _fit_all(list(value), origin or hint, args)
    elif (origin or hint) in (dict, Mapping) and isinstance(value, Mapping):
        return {key: _fit(entry, args[1]) if args else entry for key, entry in value.items()}
    elif isinstance(hint, type) and origin is None and isinstance(value, hint):
        return value
    raise ValueError


def _fit_all(values: list[Any], kind: Any, args: tuple[Any, ...]) -> Any:
    if kind is tuple and args and args[-1] is not Ellipsis:
        if len(args) != len(values):
            raise ValueError
        return tuple(_fit(value, arg) for value, arg in zip(values, args, strict=True))
    fitted = [_fit(value, args[0]) if args else value for value in values]
    return fitted if kind is list else tuple(fitted)


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "nothing"}


def _words(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(arg) for arg in args)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, args))
    if (origin or hint) in (tuple, list, Sequence):
        return "a list" + (f" of {len(args)}" if args and args[-1] is not Ellipsis and origin is tuple else "")
    return _NAMES.get(hint, "a table")
