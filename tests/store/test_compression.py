"""Values are stored compressed and come back as they were; what an older release wrote is read as it is."""

import contextlib
import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import stepwell_store.compression
from hypothesis import given
from hypothesis import strategies as st
from stepwell_store.compression import (
    FIRST_MARK,
    MARK,
    SECOND_MARK,
    SHORTEST,
    compressed,
    compressed_small,
    restored,
)
from stepwell_store.errors import CorruptValue
from zstandard import FRAME_HEADER

ENTRY = (
    b'{"n":2,"t":1795249275031,"record":{"kind":"EventOffered","time_ms":1795249275031,"event":{"id":"e"},'
    b'"sequence":1},"trace":[{"type":"EventReceived","state":"A","frame":"0"}],"patch":[],"program":"","prev":""}'
)


@given(st.binary(max_size=4 * SHORTEST))
def test_every_value_comes_back(value: bytes) -> None:
    assert restored(compressed(value)) == value
    assert restored(compressed_small(value)) == value


def test_an_entry_takes_less_than_half_of_its_bytes() -> None:
    assert len(compressed(ENTRY)) < len(ENTRY) / 2


def test_short_values_and_those_of_older_releases_are_read_as_they_are() -> None:
    assert compressed(b"{}") == b"{}"
    assert restored(ENTRY) == ENTRY


@pytest.mark.parametrize("mark", [MARK, SECOND_MARK, FIRST_MARK])
def test_a_short_value_that_begins_like_a_compressed_one_comes_back(mark: bytes) -> None:
    assert restored(compressed(mark)) == restored(compressed_small(mark)) == mark


def test_the_first_dictionary_is_the_one_that_values_were_written_with() -> None:
    stored = bytes.fromhex(
        "0128b52ffd20cf0501003032652241227d080050ab416f1c9cee71525d2714970594147106f007dc9583"
    )
    assert restored(stored) == ENTRY


def test_the_second_form_is_the_one_that_values_were_written_in() -> None:
    stored = bytes.fromhex("0220cff500002832652241220700a9670e700105981eb8f8aaf444491167007fc05d3908")
    assert restored(stored) == ENTRY


def test_the_dictionary_is_the_one_that_values_are_written_with() -> None:
    stored = bytes.fromhex("0320cfed000028326522412207fca947808b7b4d8f1cf1aac84f52944f43c09d212115")
    assert restored(stored) == ENTRY
    small = bytes.fromhex(
        "032091b5020043c711519456438fdc4c39d9dd5e63640aaeb578b561946eae275bb7c8cddff39f7bd76f6e6e94da9e5f"
        "c267b6bebc9dea924f2affca77a992421e474a1f4996f83c64caa25ca2b3230503fc2a79d1fa0d0f85648b06"
    )
    assert restored(small) == (
        b'{"id":"Tick-5-2","source":"/bench","data":{"padding":"8ed1e20d9d50083a5a162ebde2'
        b'e70dc1f87e0ae89ef3e232c737d95f8dcb3012555b46cc0e733d84632cab35"}}'
    )


@pytest.mark.parametrize(
    ("parts", "hash"),
    [
        (["_FIRST_WORDS"], "a2aa1d76b2b94c03bb944c594cb2a7ad08204ed61908dc649e7f9d4e10ac0766"),
        (["_WORDS"], "3005dfc639f98f29da5c27c1edf32aa3fe6fa69976e8c6415bf8bdf8238dc5d9"),
        (["_TABLES", "_WORDS"], "4a98dcdd9ca65262cfc5ef58d372f61eb7a54c3f46383beb02c72e0e309da216"),
    ],
    ids=["first", "second", "third"],
)
def test_no_byte_of_a_dictionary_has_changed(parts: list[str], hash: str) -> None:
    """One would make other bytes of stored values, without an error."""
    dictionary = b"".join(getattr(stepwell_store.compression, part) for part in parts)
    assert hashlib.sha256(dictionary).hexdigest() == hash


@pytest.mark.parametrize("size", [2**30, 2**40, 2**62, 2**63 + 5, 2**64 - 1])
def test_a_frame_that_would_hold_more_than_there_is_room_for_is_corrupt(size: int) -> None:
    header = bytes([0xE0]) + size.to_bytes(8, "little") + b"\x01\x00\x00"
    for stored in (MARK + header, SECOND_MARK + header, FIRST_MARK + FRAME_HEADER + header):
        with pytest.raises(CorruptValue, match="cannot be read"):
            restored(stored)


@given(st.binary(max_size=60))
def test_bytes_behind_a_mark_are_a_value_or_corrupt(value: bytes) -> None:
    for mark in (MARK, SECOND_MARK, FIRST_MARK):
        with contextlib.suppress(CorruptValue):
            restored(mark + value)


def test_one_changed_byte_makes_a_value_or_a_corrupt_one() -> None:
    stored = compressed(ENTRY)
    for place in range(len(stored)):
        for changed in range(0, 256, 7):
            with contextlib.suppress(CorruptValue):
                restored(stored[:place] + bytes([changed]) + stored[place + 1 :])


def test_bytes_that_no_compressor_wrote_are_named_corrupt() -> None:
    with pytest.raises(CorruptValue, match="cannot be read"):
        restored(MARK + b"nonsense")


def test_threads_compress_and_restore_at_the_same_time() -> None:
    values = [ENTRY.replace(b'"n":2', b'"n":%d' % number) for number in range(500)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda value: restored(compressed(value)), values)) == values
        assert list(threads.map(lambda value: restored(compressed_small(value)), values)) == values
