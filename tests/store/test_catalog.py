"""Definitions are immutable, activities are replaced, the revision grows with both."""

from stepwell_schemas.catalog import ActivityDescription
from stepwell_store.batches import START
from stepwell_store.protocol import Store
from store_batches import definition


def test_an_empty_catalogue_is_empty(store: Store) -> None:
    assert (store.definitions(), store.versions("d"), store.activities()) == ({}, [], {})
    assert store.catalog_revision() == 0


def test_a_published_definition_is_the_latest(store: Store) -> None:
    assert store.publish_definition(definition("1.0.0", "h1")) == "created"
    assert store.publish_definition(definition("1.1.0", "h2")) == "created"
    assert store.definitions() == {"d": "1.1.0"}
    assert store.versions("d") == [definition("1.0.0", "h1"), definition("1.1.0", "h2")]


def test_versions_published_in_one_millisecond_keep_their_order(store: Store) -> None:
    names = [f"1.{number}.0" for number in range(12)]
    for name in names:
        store.publish_definition(definition(name, name))
    assert [stored.version for stored in store.versions("d")] == names


def test_the_same_content_again_changes_nothing(store: Store) -> None:
    store.publish_definition(definition("1.0.0", "h1"))
    store.publish_definition(definition("2.0.0", "h2"))
    revision = store.catalog_revision()
    assert store.publish_definition(definition("1.0.0", "h1")) == "unchanged"
    assert (store.definitions(), store.catalog_revision()) == ({"d": "2.0.0"}, revision)


def test_other_content_under_a_version_is_a_conflict(store: Store) -> None:
    store.publish_definition(definition("1.0.0", "h1"))
    assert store.publish_definition(definition("1.0.0", "h2")) == "conflict"
    assert store.versions("d") == [definition("1.0.0", "h1")]


def test_activities_are_replaced_by_name(store: Store) -> None:
    store.publish_activities([ActivityDescription(name="a"), ActivityDescription(name="b")])
    store.publish_activities([ActivityDescription(name="a", queue="fast")])
    assert store.activities() == {
        "a": ActivityDescription(name="a", queue="fast"),
        "b": ActivityDescription(name="b"),
    }


def test_the_revision_grows_and_comes_with_every_read(store: Store) -> None:
    before = store.catalog_revision()
    store.publish_definition(definition())
    middle = store.catalog_revision()
    store.publish_activities([ActivityDescription(name="a")])
    assert before < middle < store.catalog_revision()
    assert store.read(START, {}, 1, None).catalog_revision == store.catalog_revision()
