"""How long values lie in Redis: compressed, with a dictionary that knows the words every one of them holds, and how
often what is left of them comes up.

A dictionary is part of the stored form: one may be added under a new mark, but never changed. What is written over
with every step is written fast; what stays is written small.
"""

from collections.abc import Callable
from threading import local
from typing import Final

from zstandard import (
    DICT_TYPE_FULLDICT,
    DICT_TYPE_RAWCONTENT,
    FORMAT_ZSTD1_MAGICLESS,
    FRAME_HEADER,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
    get_frame_parameters,
)

from stepwell_store.errors import CorruptValue

FIRST_MARK: Final = b"\x01"
"""Before what was written with the first dictionary."""

SECOND_MARK: Final = b"\x02"
"""Before what was written with the same words and without tables, a frame without zstd's magic number."""

MARK: Final = b"\x03"
"""Before what is written now, such a frame with tables; no JSON text begins with any of these."""

SHORTEST: Final = 100
"""Bytes from which it is worth it."""

LARGEST: Final = 512 * 1_048_576
"""Bytes of a value: what Redis takes."""

FAST: Final = -3
"""Two thirds of the time of level 1, for a third more bytes."""

SMALL: Final = 1

_FIRST_WORDS: Final = (
    b'[["order-1","/devices","duplicate",null,"deadLettered","expired","cleared","ignored","rejected"]]'
    b'"type":"ExecutionSucceeded","output":"TaskFailed","error":"States.TaskFailed","cause":"TimerFired","timer":'
    b'"timeout","dueMs":"next":null}],"patch":[],"program":"","prev":""}{"type":"ExecutionStarted","input":{},'
    b'"actor":"event:/devices","event":"order-1"},{"type":"TaskStateEntered","state":"Work","frame":"0"},{"type":'
    b'"TaskScheduled","state":"Work","frame":"0","activity":"work","attempt":"0/Work/1/1","number":1,"queue":'
    b'"default"}],"patch":[],"program":"{"n":1,"t":1795249275031,"record":{"kind":"InstanceStarted","time_ms":'
    b'1795249275031,"input":{},"seed":"","actor":null},"record":{"kind":"ActivityCompleted","time_ms":'
    b'1795249275031,"attempt":"0/Work/1/1","token":"","output":{"ok":true},"started_ms":1795249275031,"worker":""},'
    b'"trace":[{"type":"TaskStarted"},{"type":"TaskSucceeded"},{"type":"TaskStateExited","state":"Work","frame":"0",'
    b'"next":"Wait"},{"type":"WaitStateEntered","state":"Wait","frame":"0"}],"patch":[{"op":"set","path":"/result",'
    b'"value":true}],"program":"","kind":"TimerFired","timer":"0/1/timeout","due_ms":1795249275031},"trace":'
    b'["order-1","/devices","started",1795249275031,"device-1",1,"Order",["order-e527f22e9eedb795~3"],null],'
    b'["order-1","/devices","buffered",1795249275031,"device-1",1,"Order",[],null],'
    b'["order-1","/devices","consumed",1795249275031,"device-1",1,"Order",["order-e527f22e9eedb795~3"],null]]'
    b'{"n":2,"t":1795249275031,"record":{"kind":"EventOffered","time_ms":1795249275031,"event":{"id":"order-1",'
    b'"source":"/devices","type":"Order","device":"device-1","time":null,"data":{"id":1,"status":true,"value":0,'
    b'"time":"2026-01-01T00:00:00Z"},"received":1795249275031},"sequence":1},"trace":[{"type":"EventReceived",'
    b'"state":"Wait","frame":"0","event":"order-1","eventType":"Order","wait":null},{"type":"WaitStateExited",'
    b'"state":"Wait","frame":"0","next":"Work"},{"type":"WaitStateEntered","state":"Wait","frame":"0"}],"patch":'
    b'[{"op":"set","path":"/last","from":"event"}],"program":"","prev":"'
)


_TABLES: Final = bytes.fromhex(
    "37a430ec010000002f10d092a403ffffffffff03b0ff6f712349696437e23669324989daa7271ae2c8f15e22a59452a69452"
    "b33cd2ff5004730140000c8b08e443cae4010004804013a3948f8b17100c66b2403091511c46610c310c004f001063800a40"
    "00000000a430a703ca5492c3300c00c00000004008070005000000010000000400000008000000"
)
"""The head of a zstd dictionary (RFC 8878, 5): how often each byte, length and offset comes up in what the words leave
of 2,050 stored values. Without it each value would have tables of its own, made anew (0008 has the figures)."""

_WORDS: Final = (
    b'{"id":"order-e527f22e9eedb795~3","definition":"order","version":"1.0.0","program":"","device":"device-1",'
    b'"status":"running","created_ms":1795249275031,"updated_ms":1795249275031,"revision":1,"visits":1,"seed":"",'
    b'"history_hash":"","input":{"number":1},"frames":[{"id":"0","state":"Wait","visit":1,"phase":"task","work":{'
    b'"attempt":"0/Work/1/1","number":1,"token":"","timers":{"timeout":1795249275031}},"waits":[["Order",[["device",'
    b'1],["kind",""]]]]}],"state":{"last":{"id":"order-1","source":"/devices","type":"Order","device":"device-1",'
    b'"time":null,"data":{"id":1},"received":1795249275031}},"state_bytes":'
    b'{"n":1,"t":1795249275031,"record":{"kind":"InstanceStarted","time_ms":1795249275031,"input":{"id":1},"seed":"0",'
    b'"event":{"id":"order-1","source":"/devices","type":"Order","device":"device-1","time":null,"data":{"kind":"",'
    b'"id":1,"number":1,"value":0},"received":1795249275031},"actor":"event:/devices"},"trace":[{"type":'
    b'"ExecutionStarted","input":{"id":1},"actor":"event:/devices","event":"order-1"},{"type":"WaitStateEntered",'
    b'"state":"Wait","frame":"0"}],"patch":[],"program":"0","prev":""}'
) + _FIRST_WORDS


def compressed(value: bytes) -> bytes:
    """The stored form: as it is where it is short, else the mark and its compressed bytes."""
    if len(value) < SHORTEST and value[:1] not in _MARKS:
        return value
    return MARK + _OF_THREAD.fast(value)


def compressed_small(value: bytes) -> bytes:
    """The same in a quarter fewer bytes and half as much time again."""
    if len(value) < SHORTEST and value[:1] not in _MARKS:
        return value
    return MARK + _OF_THREAD.small(value)


def restored(stored: bytes) -> bytes:
    """The value of a stored form. Raises CorruptValue."""
    mark = stored[:1]
    if mark not in _MARKS:
        return stored
    try:
        if mark == MARK:
            return _restored(_OF_THREAD.decompressor, FRAME_HEADER + stored[1:])
        if mark == SECOND_MARK:
            return _restored(_OF_THREAD.second_decompressor, FRAME_HEADER + stored[1:])
        return _restored(_OF_THREAD.first_decompressor, stored[1:])
    except (ZstdError, MemoryError) as error:
        raise CorruptValue("a compressed value", f"cannot be read: {error!r}") from error


def _restored(decompressor: ZstdDecompressor, frame: bytes) -> bytes:
    """Room is made for what the frame says that it holds, so a garbled one must not be believed."""
    size = get_frame_parameters(frame).content_size
    if size > LARGEST:
        raise ZstdError(f"it would hold {size} bytes; a value of ours has at most {LARGEST}")
    value: bytes = decompressor.decompress(frame)
    return value


_MARKS: Final = frozenset({FIRST_MARK, SECOND_MARK, MARK})


class _Tools(local):
    """A compressor works for one thread at a time."""

    def __init__(self) -> None:
        self.fast, self.small = _compress_at(FAST), _compress_at(SMALL)
        self.decompressor = ZstdDecompressor(dict_data=_dictionary())
        self.second_decompressor = ZstdDecompressor(dict_data=_words(_WORDS))
        self.first_decompressor = ZstdDecompressor(dict_data=_words(_FIRST_WORDS))


def _compress_at(level: int) -> Callable[[bytes], bytes]:
    parameters = ZstdCompressionParameters.from_level(
        level, format=FORMAT_ZSTD1_MAGICLESS, write_checksum=0, write_dict_id=0
    )
    dictionary = _dictionary()
    dictionary.precompute_compress(level=level)
    compress: Callable[[bytes], bytes] = ZstdCompressor(
        dict_data=dictionary, compression_params=parameters
    ).compress
    return compress


def _dictionary() -> ZstdCompressionDict:
    return ZstdCompressionDict(_TABLES + _WORDS, dict_type=DICT_TYPE_FULLDICT)


def _words(words: bytes) -> ZstdCompressionDict:
    return ZstdCompressionDict(words, dict_type=DICT_TYPE_RAWCONTENT)


_OF_THREAD: Final = _Tools()
