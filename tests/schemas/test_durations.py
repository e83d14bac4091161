"""Durations and timestamps: what is read, and what is refused with which words."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepwell_schemas.durations import MAX_DURATION_MS, duration_ms, format_ms, timestamp_ms


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("PT48H", 172_800_000),
        ("PT0S", 0),
        ("P1W", 604_800_000),
        ("P1DT2H3M4.5S", 93_784_500),
        ("PT0.5H", 1_800_000),
        (30, 30_000),
        (0.25, 250),
        (0, 0),
    ],
)
def test_a_duration_is_iso_8601_or_a_number_of_seconds(written: object, milliseconds: int) -> None:
    assert duration_ms(written) == milliseconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "48h",
        "PT-5S",
        "pt5s",
        "PT5",
        "PT1S ",
        "PT1S\n",
        "P1H",
        "PT1D",
        -1,
        True,
        None,
        [],
        "PT٣S",
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration_ms(written)


@pytest.mark.parametrize("written", ["P1M", "P2Y", "P1Y2M3D", "P1M2DT5H"])
def test_months_and_years_are_refused_with_the_way_out(written: str) -> None:
    with pytest.raises(ValueError, match="write days"):
        duration_ms(written)


@pytest.mark.parametrize("written", ["PT9999999999999H", "P" + "9" * 400 + "D", 10**30, 1e300])
def test_more_than_a_hundred_years_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="hundred years"):
        duration_ms(written)


@pytest.mark.parametrize("written", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_no_duration(written: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        duration_ms(written)


def test_the_bound_itself_is_a_duration() -> None:
    assert duration_ms(MAX_DURATION_MS // 1000) == MAX_DURATION_MS


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01t01:00:00+01:00", 0),
        ("1969-12-31T23:00:00.123456789-01:00", 123),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2024-02-29T00:00:00z", 1_709_164_800_000),
    ],
)
def test_a_timestamp_is_rfc_3339(written: str, milliseconds: int) -> None:
    assert timestamp_ms(written) == milliseconds


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "\uff12026-01-31T12:00:00Z",
        17,
        None,
    ],
)
def test_what_is_no_timestamp_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|no moment"):
        timestamp_ms(written)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_formatted_time_reads_back_to_the_same_millisecond(moment: datetime) -> None:
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1000)
    written = format_ms(milliseconds)
    assert len(written) == 24
    assert timestamp_ms(written) == milliseconds


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of the years"):
        format_ms(10**18)


def test_a_number_too_long_to_print_is_refused_too() -> None:
    with pytest.raises(ValueError, match="hundred years"):
        duration_ms(10**5000)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_anything_gives_a_duration_or_a_short_refusal(written: object) -> None:
    try:
        milliseconds = duration_ms(written)
    except ValueError as error:
        message = str(error)
    else:
        message = ""
        assert 0 <= milliseconds <= MAX_DURATION_MS
    assert len(message) < 300
