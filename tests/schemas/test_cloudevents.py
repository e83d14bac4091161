"""Events at the door: what is taken, what is refused with which reason, and the dedupe key."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from stepwell_schemas.cloudevents import MAX_DEPTH, MAX_EVENT_BYTES, EventRejected, event_key, parse_event
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.publish import published

GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/gateways/7",
    "type": "DeviceSeen",
    "subject": "device-17",
    "time": "2026-11-21T04:50:46.123Z",
    "sequence": 17,
    "datacontenttype": "application/json",
    "data": {"orderId": "17"},
}


def raw(**changes: Any) -> bytes:
    event = {**GOOD, **changes}
    return json.dumps({name: value for name, value in event.items() if value is not ...}).encode()


def refused(**changes: Any) -> EventRejected:
    with pytest.raises(EventRejected) as caught:
        parse_event(raw(**changes), 5)
    return caught.value


def test_an_event_is_reduced_to_what_the_engine_needs() -> None:
    assert parse_event(raw(), 5) == DeviceEvent(
        id="e-1",
        source="/gateways/7",
        type="DeviceSeen",
        device="device-17",
        data={"orderId": "17"},
        received_ms=5,
        time="2026-11-21T04:50:46.123Z",
        sequence=17,
    )


def test_an_object_is_taken_like_its_text_and_left_as_it_was() -> None:
    document = json.loads(raw())
    assert parse_event(document, 5) == parse_event(raw(), 5)
    assert document == GOOD


@pytest.mark.parametrize("name", ["subject", "time", "sequence", "datacontenttype", "data"])
def test_optional_attributes_may_be_absent_or_null(name: str) -> None:
    assert parse_event(raw(**{name: None}), 5) == parse_event(raw(**{name: ...}), 5)


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_a_missing_attribute_is_named(name: str) -> None:
    rejection = refused(**{name: ...})
    assert (rejection.reason, rejection.pointer) == ("missingAttribute", f"/{name}")


@pytest.mark.parametrize("version", [..., "0.3", 1.0, None, "1.0.2"])
def test_only_specversion_1_0_is_taken(version: Any) -> None:
    assert refused(specversion=version).pointer == "/specversion"


@pytest.mark.parametrize(("name", "limit"), [("id", 256), ("source", 1024), ("type", 256), ("subject", 256)])
def test_texts_are_bounded_and_neither_empty_nor_of_control_characters(name: str, limit: int) -> None:
    parse_event(raw(**{name: "ü" * limit}), 5)
    parse_event(raw(**{name: "a\u00a0b"}), 5)
    for bad in ("x" * (limit + 1), "", "a\x00b", "a\nb", "a\x85b", 5, True, ["x"]):
        assert refused(**{name: bad}).pointer == f"/{name}"


@pytest.mark.parametrize(
    "time",
    ["2026-11-21", "2026-11-21T04:50:46", "2026-02-30T00:00:00Z", "21.11.2026", 5, "2026-11-21T04:50:46Z\n"],
)
def test_time_must_be_a_real_rfc_3339_moment(time: Any) -> None:
    assert refused(time=time).pointer == "/time"


@pytest.mark.parametrize(
    ("written", "number"), [(0, 0), (17, 17), ("17", 17), ("0017", 17), (2**53 - 1, 2**53 - 1)]
)
def test_a_sequence_is_an_integer_or_its_digits(written: Any, number: int) -> None:
    assert parse_event(raw(sequence=written), 5).sequence == number


@pytest.mark.parametrize("written", [-1, 1.5, True, "", "a", "-1", "1.0", "٣", 2**53, "9" * 21, "9" * 5000])
def test_any_other_sequence_is_refused(written: Any) -> None:
    assert refused(sequence=written).pointer == "/sequence"


def test_extensions_are_kept() -> None:
    event = parse_event(raw(traceparent="00-ab-cd-01", region="eu", retries=2, test=True, gone=None), 5)
    assert event.extensions == {"traceparent": "00-ab-cd-01", "region": "eu", "retries": 2, "test": True}


@pytest.mark.parametrize("name", ["deviceId", "a_b", "x" * 21, "ü", "a/b", ""])
def test_an_extension_name_has_lower_case_letters_and_digits(name: str) -> None:
    assert refused(**{name: "x"}).reason == "invalidAttribute"


@pytest.mark.parametrize("value", [{}, [], "x" * 5000, "a\x00b"])
def test_an_extension_is_a_short_simple_value(value: Any) -> None:
    assert refused(region=value).pointer == "/region"


def test_too_many_extensions_are_refused() -> None:
    assert "32" in refused(**{f"x{i}": 1 for i in range(33)}).message


def test_binary_data_is_checked_and_kept_as_text() -> None:
    event = parse_event(raw(data=..., data_base64="AAEC", datacontenttype="application/octet-stream"), 5)
    assert event.data == {"base64": "AAEC"}
    assert event.extensions == {"datacontenttype": "application/octet-stream"}
    for bad in ("not base64!", 5, "ü"):
        assert refused(data=..., data_base64=bad).pointer == "/data_base64"


def test_data_and_data_base64_exclude_each_other() -> None:
    assert refused(data_base64="AAEC").reason == "invalidData"


def test_data_of_another_type_than_json_is_a_text() -> None:
    assert parse_event(raw(datacontenttype="text/plain", data="hi"), 5).data == "hi"
    assert parse_event(raw(datacontenttype="application/vnd.x+json; charset=utf-8"), 5).extensions == {}
    assert refused(datacontenttype="text/plain").pointer == "/data"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"5", b"null", b'{"id": NaN}', b"\xff", b'{"a":"\\ud800"}']
)
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(EventRejected) as caught:
        parse_event(text, 5)
    assert caught.value.reason == "notJson"


def test_an_object_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(EventRejected, match="not JSON"):
        parse_event({**GOOD, "data": object()}, 5)


def test_size_is_bounded() -> None:
    assert refused(data="x" * MAX_EVENT_BYTES).reason == "tooLarge"


def test_depth_is_bounded() -> None:
    for depth in (MAX_DEPTH, 900, 100_000):
        text = raw(data=...)[:-1] + b', "data": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(EventRejected) as caught:
            parse_event(text, 5)
        assert caught.value.reason in ("tooDeep", "notJson")
    shallow = raw(data=...)[:-1] + b', "data": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    parse_event(shallow, 5)


def test_many_brackets_side_by_side_are_not_depth() -> None:
    assert parse_event(raw(data=[[]] * 1000), 5).data == [[]] * 1000


def test_the_key_tells_source_and_id_apart() -> None:
    assert len(event_key("a", "b")) == 16
    assert event_key("a", "b") == event_key("a", "b")
    assert len({event_key("a", "bc"), event_key("ab", "c"), event_key("bc", "a")}) == 3


@given(st.binary() | st.dictionaries(st.text(max_size=5), st.text()).map(lambda d: json.dumps(d).encode()))
def test_any_bytes_give_an_event_or_a_rejection(text: bytes) -> None:
    with pytest.raises(EventRejected):
        parse_event(text, 5)


ATTRIBUTE: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-2, 2**54) | st.text(max_size=4) | st.just({}) | st.just("1.0")
)


@given(st.dictionaries(st.sampled_from([*GOOD, "data_base64", "region", "aB"]), ATTRIBUTE))
def test_what_is_taken_also_fits_the_published_schema(changes: dict[str, Any]) -> None:
    document = {**GOOD, **changes}
    try:
        event = parse_event(document, 5)
    except EventRejected:
        return
    assert list(Draft202012Validator(published("event.schema.json")).iter_errors(document)) == []
    assert DeviceEvent.from_document(event.document()) == event
