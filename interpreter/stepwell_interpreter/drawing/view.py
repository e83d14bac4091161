"""What a dialect tells about one state so that it can be drawn, and careful access to documents of any shape."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stepwell_interpreter.drawing.graph import EdgeKind, NodeKind


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a state. Without a `target` it leads to the end of its machine."""

    target: str | None
    kind: EdgeKind = "next"
    label: str = ""
    hover: str = ""


@dataclass(frozen=True, slots=True)
class InnerScope:
    """A machine inside a state; `suffix` is its pointer below that of the state."""

    suffix: str
    title: str
    kind: Literal["branch", "iteration"]
    scope: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StateView:
    """How a state is drawn and where it leads, edges of `rule` in the order they are tried."""

    kind: NodeKind
    details: tuple[str, ...] = ()
    hover: str = ""
    symbol: str = ""
    undo: str | None = None
    exits: tuple[Exit, ...] = ()
    scopes: tuple[InnerScope, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """The keys of a machine, and how its states are read."""

    name: Literal["native", "asl"]
    start_key: str
    states_key: str
    view: Callable[[Mapping[str, Any]], StateView]
    default_route: Callable[[Mapping[str, Any]], str | None]


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; one object stands for a list of it."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [item for item in value if isinstance(item, Mapping)]
    return []


def text(value: Any) -> str:
    """The value where it is a text or a number, else an empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def names(value: Any) -> list[str]:
    """A list of names; one name stands for a list of it."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, Sequence) else []


def lines(*found: str) -> tuple[str, ...]:
    """Those that say something."""
    return tuple(line for line in found if line)
