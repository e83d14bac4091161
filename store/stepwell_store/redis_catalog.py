"""The catalogue on Redis: immutable versions of definitions, and the activities that workers offer."""

from collections.abc import Sequence

from pydantic import ValidationError
from stepwell_schemas.catalog import ActivityDescription, StoredDefinition

from stepwell_store.errors import CorruptValue
from stepwell_store.protocol import PublishResult
from stepwell_store.redis_link import Linked


class RedisCatalog(Linked):
    """The part of `RedisStore` that keeps definitions and activities."""

    def publish_definition(self, definition: StoredDefinition) -> PublishResult:
        keys = [self._keys.definition(definition.id), self._keys.definitions, self._keys.catalog]
        document = definition.model_dump_json()
        match self._link.script(
            "publish_definition", keys, definition.id, definition.version, definition.hash, document
        ):
            case b"created":
                return "created"
            case b"unchanged":
                return "unchanged"
            case _:
                return "conflict"

    def catalog_revision(self) -> int:
        return int(self._link.command("GET", self._keys.catalog) or 0)

    def definitions(self) -> dict[str, str]:
        latest = self._link.command("HGETALL", self._keys.definitions)
        return {id.decode(): version.decode() for id, version in latest.items()}

    def versions(self, definition: str) -> list[StoredDefinition]:
        key = self._keys.definition(definition)
        found = [_read_version(key, value) for value in self._link.command("HVALS", key)]
        return [stored for _, stored in sorted(found, key=lambda item: item[0])]

    def publish_activities(self, activities: Sequence[ActivityDescription]) -> None:
        values = [part for activity in activities for part in (activity.name, activity.model_dump_json())]
        change = [("HSET", self._keys.activities, *values)] if values else []
        self._link.run([*change, ("INCR", self._keys.catalog)], together=True)

    def activities(self) -> dict[str, ActivityDescription]:
        found = self._link.command("HGETALL", self._keys.activities)
        return {name.decode(): _read_activity(self._keys.activities, value) for name, value in found.items()}


def _read_version(key: str, value: bytes) -> tuple[int, StoredDefinition]:
    try:
        ordinal, _, document = value.split(b" ", 2)
        return int(ordinal), StoredDefinition.model_validate_json(document)
    except ValueError as error:
        raise CorruptValue(key, f"not a stored definition: {error}") from error


def _read_activity(key: str, value: bytes) -> ActivityDescription:
    try:
        return ActivityDescription.model_validate_json(value)
    except ValidationError as error:
        raise CorruptValue(key, f"not an activity's description: {error}") from error
