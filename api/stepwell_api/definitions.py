"""The published definitions, for requests."""

import threading
from collections.abc import Sequence

from stepwell_engine.catalog import Catalog
from stepwell_interpreter.program import Program
from stepwell_schemas.problems import did_you_mean
from stepwell_store.errors import StoreUnavailable
from stepwell_store.protocol import Store

from stepwell_api.problems import ProblemRaised


class Definitions:
    """The catalogue for many threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalog = Catalog(store)
        self._one_at_a_time = threading.Lock()

    def names(self) -> list[str]:
        """Ids of all definitions."""
        revision = self._store.catalog_revision()  # not under the lock: a connection may hang
        with self._one_at_a_time:
            self._catalog.refresh(revision)
            return self._catalog.names()

    def find(self, id: str, version: str | None) -> Program:
        """A program by id and `1.2.0`, `1`, `latest` or None. Raises ProblemRaised 404 with the nearest id."""
        (found,) = self.find_all([(id, version)])
        if isinstance(found, Exception):
            raise found
        return found

    def find_all(self, wanted: Sequence[tuple[str, str | None]]) -> list[Program | Exception]:
        """For each (id, version) what `find` returns or raises, asking the store once what is new."""
        revision = self._store.catalog_revision()
        with self._one_at_a_time:
            self._catalog.refresh(revision)
            found = {one: self._find(*one) for one in dict.fromkeys(wanted)}
        return [found[one] for one in wanted]

    def program(self, id: str, version: str) -> Program | None:
        """The program of an exact version, None where it is not stored."""
        with self._one_at_a_time:
            return self._catalog.program(id, version)

    def _find(self, id: str, version: str | None) -> Program | Exception:
        try:
            if version in (None, "latest"):
                found = self._catalog.latest(id)
            else:
                found = self._catalog.program(id, str(version)) or self._catalog.resolve(f"{id}@{version}")
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # one that does not compile, which is this request's alone
            return error
        if found is not None:
            return found
        names = self._catalog.names()
        if id in names:
            return ProblemRaised(404, f"definition {id!r} has no version {version!r}")
        return ProblemRaised(404, f"there is no definition {id[:80]!r}{did_you_mean(id, names)}")
