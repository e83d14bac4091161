"""How long values lie in Redis: compressed, with a dictionary that knows the words every one of them holds.

What is written once and seldom read is stored so: history entries, accumulated events, the ledger. A dictionary is
part of the stored form: it may be added to the list under a new mark, but never changed.
"""

from threading import local
from typing import Final

from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError

from stepwell_store.errors import CorruptValue

MARK: Final = b"\x01"
"""Before what the first dictionary has made; no JSON text begins with it."""

SHORTEST: Final = 100
"""Bytes from which it is worth it."""

LEVEL: Final = -3
"""Half the time of level 1, for a quarter more bytes."""

_WORDS: Final = (
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


def compressed(value: bytes) -> bytes:
    """The stored form: as it is where it is short, else the mark and its compressed bytes."""
    if len(value) < SHORTEST and value[:1] != MARK:
        return value
    packed: bytes = _OF_THREAD.compressor.compress(value)
    return MARK + packed


def restored(stored: bytes) -> bytes:
    """The value of a stored form. Raises CorruptValue."""
    if stored[:1] != MARK:
        return stored
    try:
        value: bytes = _OF_THREAD.decompressor.decompress(stored[1:])
    except ZstdError as error:
        raise CorruptValue("a compressed value", f"cannot be read: {error}") from error
    return value


class _Tools(local):
    """A compressor works for one thread at a time."""

    def __init__(self) -> None:
        words = ZstdCompressionDict(_WORDS, dict_type=DICT_TYPE_RAWCONTENT)
        words.precompute_compress(level=LEVEL)
        self.compressor = ZstdCompressor(
            level=LEVEL, dict_data=words, write_checksum=False, write_dict_id=False
        )
        self.decompressor = ZstdDecompressor(dict_data=words)


_OF_THREAD: Final = _Tools()
