"""What a stage carries, as bytes that another process can go on from: arrays and plain values, no code.

The bytes are a safetensors file: every array is a tensor, and all else stands as JSON in its header.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.messages import Answer, Call, Emitted, Hop
from streamer.chunk import Annotation, Chunk

VERSION: Final = 2
"""Of what is written; bytes of another version are refused."""

Tree = Any
"""An array, number, text, truth value or None, a tuple, list, deque or dict of trees by text, or a message
between stages (`_MESSAGES`)."""

_MESSAGES: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in (Answer, Call, Chunk, Emitted, Hop)}
_SERIES: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in (tuple, list, deque)}


def pack(tree: Tree, about: Mapping[str, str]) -> bytes:
    """Write a tree.

    Parameters
    ----------
    about
        What it belongs to, such as the hash of the weights; `unpack` asks for the same.

    Raises
    ------
    TypeError
        If something in it is no part of a `Tree`.
    """
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_plain(tree, arrays))
    return save(arrays, {"version": str(VERSION), "about": json.dumps(dict(about)), "tree": text})


def unpack(packed: bytes, about: Mapping[str, str]) -> Tree:
    """Read what `pack` wrote.

    Raises
    ------
    ValueError
        If these are no such bytes, or they are of another version, or belong to something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(packed)
        length = int.from_bytes(packed[:8], "little")
        header = json.loads(packed[8 : 8 + length])["__metadata__"]
        version, belongs, tree = header["version"], json.loads(header["about"]), header["tree"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"these bytes are no snapshot: {error}") from error
    if version != str(VERSION):
        raise ValueError(f"a snapshot of version {version} cannot be read; this is version {VERSION}")
    if belongs != dict(about):
        differs = [name for name in {*belongs, *about} if belongs.get(name) != about.get(name)]
        raise ValueError(f"the snapshot belongs to another {', '.join(sorted(differs))}")
    return _tree(json.loads(tree), arrays)


def _plain(value: Tree, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value as JSON knows it, its arrays moved into `arrays`."""
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = np.ascontiguousarray(value).reshape(value.shape)
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Annotation):
        return {"mark": list(value)}
    kind = type(value).__name__
    if is_dataclass(value) and kind in _MESSAGES:
        return {kind: {each.name: _plain(getattr(value, each.name), arrays) for each in fields(value)}}
    if kind in _SERIES:
        return {kind: [_plain(each, arrays) for each in value]}
    if isinstance(value, dict):
        return {"dict": {name: _plain(each, arrays) for name, each in value.items()}}
    raise TypeError(f"a {kind} cannot be part of a snapshot")


def _tree(plain: Any, arrays: Mapping[str, NDArray[Any]]) -> Tree:
    if not isinstance(plain, dict):
        return plain
    ((kind, value),) = plain.items()
    if kind == "array":
        return arrays[value].copy()
    if kind == "mark":
        return Annotation(*value)
    if kind == "dict":
        return {name: _tree(each, arrays) for name, each in value.items()}
    if kind in _SERIES:
        return _SERIES[kind](_tree(each, arrays) for each in value)
    return _MESSAGES[kind](**{name: _tree(each, arrays) for name, each in value.items()})
