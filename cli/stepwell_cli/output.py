"""What a person or a script sees: results on stdout, messages on stderr, one JSON document with `--json`."""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

STATUS_COLOURS = {
    "pending": "blue",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "timedOut": "yellow",
    "cancelled": "magenta",
    "quarantined": "bold red",
}


def console() -> Console:
    """Where results go. Made anew each time, since tests and pipes replace sys.stdout."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def messages() -> Console:
    """Where everything goes that is not the result."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_document(document: Any) -> None:
    """One JSON document, indented where a person looks at it."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0, default=str)
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()


def print_error(message: str, details: Sequence[str] = ()) -> None:
    """A failure, with what else is known about it."""
    stderr = messages()
    stderr.print(f"[bold red]error:[/] {harmless(message)}")
    for detail in details:
        stderr.print(f"  {harmless(detail)}")


def say(message: str) -> None:
    """A message beside the result."""
    messages().print(harmless(message))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Rows as a table; tab-separated lines without colours where stdout is not a terminal."""
    lines = [[_text(cell) for cell in row] for row in rows]
    if not lines:
        say(empty)
        return
    if not sys.stdout.isatty():
        for line in [list(columns), *lines]:
            sys.stdout.write("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in line) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*(_coloured(cell) for cell in line))
    console().print(table)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """`name: value` lines; what is None is left out."""
    known = [(name, _text(value)) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in known), default=0) + 2
    for name, value in known:
        console().print(f"[bold]{escape(name):<{width}}[/]{_coloured(value)}")


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def harmless(text: str) -> str:
    """The text for the console: what authors and activities wrote neither marks it up nor steers the terminal."""
    return escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def compact(value: Any) -> str:
    """A JSON value on one line."""
    return orjson.dumps(value, default=str).decode()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    return compact(value)


def _coloured(cell: str) -> str:
    colour = STATUS_COLOURS.get(cell)
    return f"[{colour}]{cell}[/]" if colour else harmless(cell)
