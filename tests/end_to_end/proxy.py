"""A proxy on a unix socket between our processes and the server: cuts, stalls, loses replies, doubles nothing."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

CHUNK = 1 << 16
LOOK_SECONDS = 0.2


class Proxy:
    """Forwards between clients and the server of a `unix://` address."""

    def __init__(self, server_url: str, path: Path) -> None:
        self.url = f"unix://{quote(str(path))}"
        self._path = path
        self._target = unquote(urlsplit(server_url).path)
        self._flows = threading.Event()
        self._flows.set()
        self._ended = threading.Event()
        self._is_cut = False
        self._lock = threading.Lock()
        self._pairs: dict[tuple[socket.socket, socket.socket], int] = {}
        """How many of a pair's pumps still run; the last one closes both sides."""
        self._lose_next = 0
        self.lost = 0
        """Replies that were dropped, each with its connection."""

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._flows.set()
        self._listener.close()
        self._drop_all()

    def cut(self) -> None:
        """Close every connection, and every new one at once."""
        self._is_cut = True
        self._drop_all()

    def restore(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def stall(self) -> None:
        """Hold everything back, in both directions; nothing is closed."""
        self._flows.clear()

    def flow(self) -> None:
        """Let through what was held back."""
        self._flows.set()

    def lose_replies(self, count: int) -> None:
        """Drop the next replies of the server, after what was asked has taken effect, and their connections."""
        with self._lock:
            self._lose_next = count

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._target)
            except OSError:
                client.close()
                server.close()
                continue
            pair = (client, server)
            with self._lock:
                self._pairs[pair] = 2
            for source, sink, is_reply in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=[pair, source, sink, is_reply], daemon=True).start()

    def _pump(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        is_reply: bool,
    ) -> None:
        try:
            while data := source.recv(CHUNK):
                self._flows.wait()
                if is_reply and self._is_to_be_lost():
                    break
                sink.sendall(data)
        except OSError:
            pass  # the other side has closed, which is what the end of this pump says too
        finally:
            self._end(pair)

    def _is_to_be_lost(self) -> bool:
        with self._lock:
            if self._lose_next:
                self._lose_next -= 1
                self.lost += 1
                return True
            return False

    def _drop_all(self) -> None:
        with self._lock:
            pairs = list(self._pairs)
            for pair in pairs:
                _shut(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs[pair] -= 1
            _shut(pair)
            if self._pairs[pair] == 0:
                del self._pairs[pair]
                for side in pair:
                    side.close()


def _shut(pair: tuple[socket.socket, socket.socket]) -> None:
    for side in pair:
        with suppress(OSError):  # the other side was first
            side.shutdown(socket.SHUT_RDWR)
