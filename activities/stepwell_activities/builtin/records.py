"""`records.*`: a table of JSON records, in SQLite or by `records_url` in PostgreSQL (or what SQLAlchemy speaks).

Every change stores its result under the attempt's idempotency key in the same transaction, so that a repeat gives
the same answer and changes nothing. `records.delete` undoes `records.create`.
"""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    make_url,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.schema import CreateTable
from stepwell_schemas.durations import format_ms
from stepwell_schemas.settings import Settings

from stepwell_activities.attempt import now_ms
from stepwell_activities.context import ActivityContext
from stepwell_activities.decorator import activity
from stepwell_activities.errors import ActivityError, NonRetryable

BUSY_SECONDS = 30
CREATE_TRIES = 5

_tables = MetaData()
_records = Table(
    "stepwell_records",
    _tables,
    Column("id", String(256), primary_key=True),
    Column("type", String(256), nullable=False, index=False),
    Column("data", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)
_results = Table(
    "stepwell_record_results",
    _tables,
    Column("key", String(512), primary_key=True),
    Column("result", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class NewRecord(_Wire):
    """What `records.create` takes. Without `recordId` one is made."""

    record_type: str = Field(min_length=1, max_length=256)
    data: dict[str, Any] = Field(default_factory=dict)
    record_id: str | None = Field(default=None, min_length=1, max_length=256)


class RecordKey(_Wire):
    """Which record."""

    record_id: str = Field(min_length=1, max_length=256)


class RecordChange(_Wire):
    """What `records.update` takes. `merge` keeps the keys that `data` does not name."""

    record_id: str = Field(min_length=1, max_length=256)
    data: dict[str, Any]
    merge: bool = True
    expected_revision: int | None = None


class StoredRecord(_Wire):
    """A record as it stands."""

    record_id: str
    record_type: str
    data: dict[str, Any]
    revision: int
    created_at: str
    updated_at: str


class Deletion(_Wire):
    """What `records.delete` did; `deleted` false where there was no such record."""

    record_id: str
    deleted: bool


@activity("records.create", timeout=30)
def create(record: NewRecord, context: ActivityContext) -> StoredRecord:
    """Create a record. RecordExists where the given id is taken."""

    def insert(connection: Connection) -> StoredRecord:
        at = now_ms()
        record_id = record.record_id or _made_id(context.idempotency_key)
        if _find(connection, record_id) is not None:
            raise NonRetryable("RecordExists", f"there is a record '{record_id}' already")
        row = {
            "id": record_id,
            "type": record.record_type,
            "data": _text(record.data),
            "revision": 1,
            "created_ms": at,
            "updated_ms": at,
        }
        connection.execute(_records.insert().values(row))
        return _stored(row)

    return StoredRecord.model_validate(_once(context, insert))


@activity("records.get", timeout=30)
def get(record: RecordKey, context: ActivityContext) -> StoredRecord:
    """Read a record. RecordNotFound where there is none."""
    with _translated(), database(context.settings).begin() as connection:
        return _stored(_existing(connection, record.record_id))


@activity("records.update", timeout=30)
def update(change: RecordChange, context: ActivityContext) -> StoredRecord:
    """Change a record's data. RecordNotFound; RecordChanged where it is not at the expected revision."""

    def apply(connection: Connection) -> StoredRecord:
        row = _existing(connection, change.record_id, lock=True)
        if change.expected_revision is not None and row["revision"] != change.expected_revision:
            raise NonRetryable(
                "RecordChanged",
                f"record '{change.record_id}' is at revision {row['revision']}, "
                f"not {change.expected_revision}",
            )
        data = {**orjson.loads(row["data"]), **change.data} if change.merge else change.data
        row = {**row, "data": _text(data), "revision": row["revision"] + 1, "updated_ms": now_ms()}
        connection.execute(_records.update().where(_records.c.id == change.record_id).values(row))
        return _stored(row)

    return StoredRecord.model_validate(_once(context, apply))


@activity("records.delete", compensates="records.create", timeout=30)
def delete(record: RecordKey, context: ActivityContext) -> Deletion:
    """Delete a record; one that is not there is as good as deleted."""

    def remove(connection: Connection) -> Deletion:
        gone = connection.execute(_records.delete().where(_records.c.id == record.record_id)).rowcount
        return Deletion(record_id=record.record_id, deleted=gone > 0)

    return Deletion.model_validate(_once(context, remove))


def database(settings: Settings) -> Engine:
    """This process's engine of the records' database, with the tables there."""
    if settings.records_url is not None:
        return _engine(os.getpid(), settings.records_url)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return _engine(os.getpid(), f"sqlite:///{settings.data_dir.resolve() / 'records.sqlite'}")


def _once(context: ActivityContext, change: Callable[[Connection], BaseModel]) -> Any:
    """Run a change and store its result under the key, as one transaction; a repeat reads what is stored."""
    key = f"{context.activity}:{context.idempotency_key}"
    with _translated():
        engine = database(context.settings)
        try:
            with engine.begin() as connection:
                stored = _result(connection, key)
                if stored is not None:
                    return stored
                result = change(connection).model_dump(mode="json", by_alias=True)
                row = {"key": key, "result": _text(result), "created_ms": now_ms()}
                connection.execute(_results.insert().values(row))
                return result
        except IntegrityError:  # the same attempt runs twice and the other was first, or another took the id
            with engine.begin() as connection:
                stored = _result(connection, key)
            if stored is None:
                raise
            return stored


def _result(connection: Connection, key: str) -> Any:
    found = connection.execute(select(_results.c.result).where(_results.c.key == key)).scalar()
    return None if found is None else orjson.loads(found)


def _find(connection: Connection, record_id: str, lock: bool = False) -> dict[str, Any] | None:
    query = select(_records).where(_records.c.id == record_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else dict(row)


def _existing(connection: Connection, record_id: str, lock: bool = False) -> dict[str, Any]:
    row = _find(connection, record_id, lock)
    if row is None:
        raise NonRetryable("RecordNotFound", f"there is no record '{record_id}'")
    return row


def _stored(row: dict[str, Any]) -> StoredRecord:
    return StoredRecord(
        record_id=row["id"],
        record_type=row["type"],
        data=orjson.loads(row["data"]),
        revision=row["revision"],
        created_at=format_ms(row["created_ms"]),
        updated_at=format_ms(row["updated_ms"]),
    )


def _made_id(idempotency_key: str) -> str:
    return hashlib.blake2b(idempotency_key.encode(), digest_size=16).hexdigest()


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


class _translated:  # noqa: N801 - used like a function
    """SQL errors as errors of the activity: what a retry can mend, and what it cannot."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, IntegrityError):
            raise NonRetryable("RecordConflict", str(error.orig)) from error
        if isinstance(error, DBAPIError):
            raise ActivityError("DatabaseUnavailable", f"{type(error).__name__}: {error.orig}") from error
        if isinstance(error, SQLAlchemyError):
            raise ActivityError("DatabaseError", f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=8)
def _engine(pid: int, url: str) -> Engine:
    """One engine per process: a forked child must not share its parent's connections."""
    sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = create_engine(url, pool_pre_ping=not sqlite, pool_timeout=BUSY_SECONDS)
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    _create_tables(engine)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a lock taken late could not be waited for


def _create_tables(engine: Engine) -> None:
    """Several processes may do this at once: PostgreSQL's IF NOT EXISTS can still collide."""
    for left in reversed(range(CREATE_TRIES)):
        try:
            with engine.begin() as connection:
                for table in _tables.sorted_tables:
                    connection.execute(CreateTable(table, if_not_exists=True))
            return
        except (IntegrityError, OperationalError):
            if not left:
                raise
