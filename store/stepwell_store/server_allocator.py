"""What the embedded server takes its memory from: jemalloc where the machine has it, else glibc's allocator set for it.

The bundled server takes its memory from the C library. A batch makes tens of thousands of small values that go with it,
and glibc finds room for them all over the heap, which is half of the server's time among many waits; jemalloc, with
which Redis is built by default, keeps them together. Figures: docs/decisions/0012-server-allocator.md.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

JEMALLOC = "libjemalloc.so.2"
"""The library's name since version 4, which the system's loader finds where the package of the distribution puts it."""

OLDEST_GLIBC = (2, 30)
"""Before it, a count as large as ours could overflow: https://sourceware.org/bugzilla/show_bug.cgi?id=24531."""

TUNABLES = "glibc.malloc.tcache_count=32000:glibc.malloc.tcache_max=512:glibc.malloc.mxfast=0"
"""So many freed values of each small size are set aside for the next instead of the usual 7 or so."""

PROOF = "Begin jemalloc statistics"
"""What jemalloc writes to stderr as the program ends, where `_STATISTICS` ask for it: no loader's silence is one."""

_STATISTICS = "stats_print:true,stats_print_opts:gmdablxe"
"""Its statistics without all that can be left out of them."""

SECONDS_TO_ANSWER = 10


def server_environment(server: Path, folder: Path) -> dict[str, str]:
    """Our environment with an allocator for this server in its folder, as far as its user has not chosen one there.

    What `LD_PRELOAD` says stays, also where it is empty; so does what `GLIBC_TUNABLES` says of `glibc.malloc`. Where
    that is there and empty, nothing is set at all.
    """
    environment = dict(os.environ)
    theirs = environment.get("GLIBC_TUNABLES")
    if theirs == "" or "glibc.malloc." in (theirs or ""):
        return environment
    if "LD_PRELOAD" not in environment and _runs_with_jemalloc(server, folder):
        return environment | {"LD_PRELOAD": JEMALLOC}
    if _glibc() < OLDEST_GLIBC:
        return environment
    return environment | {"GLIBC_TUNABLES": f"{theirs}:{TUNABLES}" if theirs else TUNABLES}


def _runs_with_jemalloc(server: Path, folder: Path) -> bool:
    """Whether this server takes its memory from the C library and starts with jemalloc in its place.

    A loader that finds no such library goes on without it, some without a word; a jemalloc that is built for another
    page size keeps the program from starting.
    """
    if sys.platform != "linux":
        return False
    try:
        shown = subprocess.run(  # noqa: S603  (the server that is about to be started)
            [str(server), "--version"],
            env=os.environ | {"LD_PRELOAD": JEMALLOC, "MALLOC_CONF": _STATISTICS},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS_TO_ANSWER,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return shown.returncode == 0 and PROOF in shown.stderr and "malloc=libc" in shown.stdout


def _glibc() -> tuple[int, ...]:
    """The version of the C library; empty where it is another one."""
    name, version = platform.libc_ver()
    return tuple(map(int, re.findall(r"\d+", version)[:2])) if name == "glibc" else ()
