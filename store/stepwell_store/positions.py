"""Positions in a log ("<ms>-<n>"): their order and their neighbours, alike for Redis and memory."""

import re

Position = tuple[int, int]

_FORM = re.compile(r"\d{1,20}-\d{1,20}\Z", re.ASCII)


def parse_position(text: str) -> Position:
    """(milliseconds, number); positions compare as these pairs. Raises ValueError for another form."""
    if _FORM.match(text) is None:
        raise ValueError(f"{text!r} is not a position; expected <milliseconds>-<number>")
    milliseconds, _, number = text.partition("-")
    return int(milliseconds), int(number)


def format_position(position: Position) -> str:
    """The text of a position."""
    return f"{position[0]}-{position[1]}"


def next_position(text: str) -> str:
    """The smallest position after this one."""
    milliseconds, number = parse_position(text)
    return f"{milliseconds}-{number + 1}"
