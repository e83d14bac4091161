"""A fault of the engine in the simulation: `decide` fails for some instances and records, until it is mended."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stepwell_engine import execution
from stepwell_interpreter.decide import decide
from stepwell_interpreter.program import Program
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_schemas.records import Record


class Sick(RuntimeError):
    """The planted failure."""


class Sickness:
    """One record in `one_in` makes the engine fail, the same again whenever it is tried; 0: none does."""

    def __init__(self, seed: int, one_in: int) -> None:
        self.one_in = one_in
        self._seed = seed
        self._decide = decide

    @contextmanager
    def spread(self) -> Iterator[None]:
        """The engine has it within this block."""
        if not self.one_in:
            yield
            return
        setattr(execution, "decide", self._fail)  # noqa: B010  # mypy takes it for an import, not for a name to plant
        try:
            yield
        finally:
            setattr(execution, "decide", self._decide)  # noqa: B010

    def mend(self) -> None:
        """From now on nothing fails."""
        self.one_in = 0

    def _fail(self, program: Program, instance: Instance, record: Record) -> Any:
        what = f"{self._seed}/{instance.id}/{instance.revision}/{record.kind}"
        if self.one_in and instance.status not in TERMINAL and zlib.crc32(what.encode()) % self.one_in == 0:
            raise Sick(what)
        return self._decide(program, instance, record)
