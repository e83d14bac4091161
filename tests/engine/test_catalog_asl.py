"""Step Functions definitions in the engine: published, compiled again from the store, and run to their end."""

import json
from typing import Any

from engine_world import World
from stepwell_engine.catalog import Catalog, check, compile_stored, publish
from stepwell_schemas.catalog import StoredDefinition
from stepwell_schemas.upload_settings import UploadSettings

CHARGE = "arn:aws:lambda:us-east-1:111111111111:function:charge"
MACHINE = {
    "StartAt": "Charge",
    "States": {"Charge": {"Type": "Task", "Resource": CHARGE, "Next": "Done"}, "Done": {"Type": "Succeed"}},
}
ENVELOPE = {"id": "orders", "version": "1.0.0", "definition": MACHINE}
BESIDE = UploadSettings(id="orders", version="1.0.0")


def published(world: World, document: Any, upload: UploadSettings = UploadSettings()) -> StoredDefinition:  # noqa: B008
    outcome = publish(world.store, json.dumps(document), now_ms=world.now_ms, upload=upload)
    assert outcome.stored is not None, [str(problem) for problem in outcome.problems]
    assert outcome.result in ("created", "unchanged")
    return outcome.stored


def world_with(*activities: str) -> World:
    world = World()
    world.activities(*activities)
    return world


def test_an_envelope_and_what_is_said_beside_are_the_same_version() -> None:
    world = world_with("charge")
    by_envelope = published(world, ENVELOPE)
    beside = published(world, MACHINE, BESIDE)
    assert by_envelope.hash == beside.hash
    assert by_envelope.document == beside.document
    assert by_envelope.dialect == "asl"


def test_the_source_is_what_was_sent_or_the_envelope_that_holds_it() -> None:
    world = world_with("charge")
    assert json.loads(published(world, ENVELOPE).source) == ENVELOPE
    kept = published(world, MACHINE, UploadSettings(id="orders", version="2.0.0"))
    assert json.loads(kept.source) == kept.document
    again = check(world.store, kept.source, source_format=kept.source_format)[0]
    assert again is not None
    assert again.hash == kept.hash


def test_a_stored_version_is_compiled_to_the_same_program() -> None:
    world = world_with("charge")
    stored = StoredDefinition.model_validate_json(published(world, ENVELOPE).model_dump_json())
    program = compile_stored(stored)
    assert (program.id, program.version, program.hash) == ("orders", "1.0.0", stored.hash)
    assert program.activity_names == {"charge"}
    catalog = Catalog(world.store)
    catalog.refresh()
    latest = catalog.latest("orders")
    assert latest is not None
    assert latest.hash == stored.hash


def test_the_table_of_resources_goes_with_the_version() -> None:
    world = world_with("cards.charge")
    stored = published(world, {**ENVELOPE, "resources": {"charge": "cards.charge"}})
    assert compile_stored(stored).activity_names == {"cards.charge"}
    assert set(stored.activities) == {"cards.charge"}


def test_an_activity_that_nobody_offers_is_told_where_it_stands() -> None:
    world = world_with("chrge")
    stored, problems = check(world.store, json.dumps(ENVELOPE, indent=1), file="orders.json")
    assert stored is None
    (problem,) = problems
    assert problem.code == "unknown-activity"
    assert problem.pointer == "/definition/States/Charge/Resource"
    assert problem.line == 9


def test_an_integration_that_is_not_here_names_its_state() -> None:
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    document = {**ENVELOPE, "definition": {"StartAt": "Send", "States": {"Send": send}}}
    (problem,) = check(World().store, json.dumps(document))[1]
    assert problem.code == "unknown-resource"
    assert "'Send'" in problem.message


def test_what_aws_refuses_is_refused_with_its_code() -> None:
    document = {**ENVELOPE, "definition": {**MACHINE, "StartAt": "Nope"}}
    problems = check(world_with("charge").store, json.dumps(document))[1]
    assert [problem.code for problem in problems] == [
        "MISSING_TRANSITION_TARGET",
        "MISSING_TRANSITION_TARGET",
    ]


def test_an_uploaded_machine_runs() -> None:
    world = world_with("charge")
    published(world, ENVELOPE)
    partition = world.partition("i-1")
    world.request(
        partition, op="start", instance="i-1", definition="orders", version=None, input={"amount": 5}
    )
    assert world.settle() == ["charge"]
    (instance,) = world.instances()
    assert instance.status == "succeeded"
