"""The only place that spells keys. The lists below are the layout's documentation; LAYOUT_VERSION counts its changes.

One store, `<ns>:...`:

    key                       type     what; who writes it; when it goes
    <ns>:events               stream   the door: `event` (CloudEvents JSON), `replay`; senders, by XADD; trimmed by the
                                       engine below the smallest committed position
    <ns>:layout               hash     version, partitions, probed; whoever opens the store first; stays;
                                       migrating, migrated while an older layout is brought up to date
    <ns>:migration            string   the lock of who does that; expires
    <ns>:definitions          hash     definition id -> latest version; publish_definition.lua; stays
    <ns>:definition:<id>      hash     version -> "<ordinal> <hash> <StoredDefinition JSON>"; the same; stays
    <ns>:activities           hash     activity name -> ActivityDescription JSON; workers; stays
    <ns>:catalog              string   counts publications; whoever publishes; stays
    <ns>:engines              zset     engine -> when it counts as gone (server's ms); engine_heartbeat.lua;
                                       members go when they are late
    <ns>:placed               hash     chosen instance id -> partition; Store.place; stays, so that an id keeps
                                       its partition for good
    <ns>:sources              zset     event source -> last seen ms; ingress; the newest 1,000 stay
    <ns>:reply:<channel>      channel  answers to requests; commit.lua publishes; nothing is stored

One partition, `{<ns>:<p>}:...`, where everything shares one hash tag, so that one script may touch all of it:

    meta                      hash     epoch, owner (acquire.lua, release.lua); revision, token, outbox, inbox,
                                       door, dispatched, bucket (commit.lua); stays
    lease                     string   the owner's name, expires with the lease; acquire, renew, release
    inbox                     stream   `r`: record JSON; request_start.lua, report.lua, append_entries.lua; commit
                                       trims it through the applied position
    outbox                    stream   `c`: command JSON; commit appends and trims what is dispatched
    ledger                    stream   `e`: a commit's disposition JSONs, separated by 0x1E, compressed; commit
                                       appends, and trims after 12 days
    dead                      stream   `b`: dead letter JSON; commit; goes when replayed or discarded
    starts                    hash     instance -> fingerprint of its requested start; request_start.lua; goes
                                       with the instance, or when the start is refused
    instances                 hash     instance -> JSON, compressed; commit; goes when a commit removes the instance
    history:<instance>        list     history entries, compressed; commit; goes with the instance
    index:<definition>:<status>  zset  instance -> created ms; commit; members move with the status
    runs:<device>             zset     instance -> created ms, runs of a device that have ended (those that run
                                       stand in its record); commit; members go with their instances
    devices                   hash     device -> JSON; commit; goes when a commit removes the device
    events:<device>           list     "<sequence> <event JSON, compressed>", without gaps; commit; its head goes
                                       when dropped, all with the device
    available:<device>        set      sequences no wait has consumed; commit; members go when consumed or
                                       dropped, all with the device
    timers                    zset     "<instance>\\0<slot>" -> ms when an engine looks; commit. The slot is
                                       "<frame>/<what>", or "timeout" of the instance; its timer is due then or later
    attempts                  hash     token -> payload; commit; goes when the engine forgets the attempt
    deadlines                 zset     token -> end of dispatch deadline or lease (ms); commit, claim.lua,
                                       extend.lua, report.lua; goes with the attempt
    claims                    hash     token -> "<started> <sign> <reported position or -> <worker>"; claim.lua,
                                       extend.lua, report.lua; goes with the attempt
    seen:<bucket>             hash     event key -> disposition JSON; commit; a bucket holds four days, three
                                       are kept, commit removes older ones
    counters                  hash     name -> number; commit; stays
    corrupt:<name>            any      what commit found under a name of an instance or device and is not of its
                                       type; set aside for an operator, who removes it
"""

import re

LAYOUT_VERSION = 5
"""1: the first. 2: device records leave out what has its usual value; history entries, accumulated events and the
ledger may be compressed (compression.py). 3: instances may be compressed, all with a second dictionary; `runs` holds
what has ended. 4: timers are kept by their slots, and ring when they are due or before. 5: values may be
compressed with tables. Steps between them: migrations.py."""

_GLOBAL = {
    "events": "stream",
    "layout": "hash",
    "migration": "string",
    "definitions": "hash",
    r"definition:.+": "hash",
    "activities": "hash",
    "catalog": "string",
    "engines": "zset",
    "placed": "hash",
    "sources": "zset",
}
_PARTITION = {
    "meta": "hash",
    "lease": "string",
    "inbox": "stream",
    "outbox": "stream",
    "ledger": "stream",
    "dead": "stream",
    "starts": "hash",
    "instances": "hash",
    r"history:.+": "list",
    r"index:[^:]+:[A-Za-z]+": "zset",
    r"runs:.+": "zset",
    "devices": "hash",
    r"events:.+": "list",
    r"available:.+": "set",
    "timers": "zset",
    "attempts": "hash",
    "deadlines": "zset",
    "claims": "hash",
    r"seen:\d+": "hash",
    "counters": "hash",
    r"corrupt:.+": "any",
}


class Keys:
    """The keys of one namespace."""

    __slots__ = (
        "activities",
        "catalog",
        "definitions",
        "engines",
        "events",
        "layout",
        "migration",
        "namespace",
        "placed",
        "prefixes",
        "sources",
    )

    def __init__(self, namespace: str, partitions: int) -> None:
        self.namespace = namespace
        self.events = f"{namespace}:events"
        self.layout = f"{namespace}:layout"
        self.migration = f"{namespace}:migration"
        self.definitions = f"{namespace}:definitions"
        self.activities = f"{namespace}:activities"
        self.catalog = f"{namespace}:catalog"
        self.engines = f"{namespace}:engines"
        self.placed = f"{namespace}:placed"
        self.sources = f"{namespace}:sources"
        self.prefixes = [f"{{{namespace}:{number}}}:" for number in range(partitions)]

    def definition(self, id: str) -> str:
        """The versions of one definition."""
        return f"{self.namespace}:definition:{id}"

    def reply(self, channel: str) -> str:
        """The channel that answers go out on."""
        return f"{self.namespace}:reply:{channel}"

    def of(self, partition: int, name: str) -> str:
        """A partition's key, by the name it has in the list above."""
        return self.prefixes[partition] + name

    def history(self, partition: int, instance: str) -> str:
        """An instance's history."""
        return f"{self.prefixes[partition]}history:{instance}"

    def runs(self, partition: int, device: str) -> str:
        """All instances of a device."""
        return f"{self.prefixes[partition]}runs:{device}"

    def accumulated(self, partition: int, device: str) -> str:
        """A device's accumulator."""
        return f"{self.prefixes[partition]}events:{device}"

    def available(self, partition: int, device: str) -> str:
        """The sequences of a device that no wait has consumed."""
        return f"{self.prefixes[partition]}available:{device}"

    def seen(self, partition: int, bucket: int) -> str:
        """A bucket of applied event ids."""
        return f"{self.prefixes[partition]}seen:{bucket}"


def is_known_key(key: str, namespace: str) -> bool:
    """Whether a key of this namespace is one of those documented here (tests look for others: leaks)."""
    return expected_type(key, namespace) is not None


def expected_type(key: str, namespace: str) -> str | None:
    """The type that the server should name for a key, `any` for what was set aside; None for a key that is not ours."""
    for prefix, names in (
        (f"{re.escape(namespace)}:", _GLOBAL),
        (rf"\{{{re.escape(namespace)}:\d+\}}:", _PARTITION),
    ):
        for name, kind in names.items():
            if re.fullmatch(prefix + name, key, re.DOTALL):
                return kind
    return None
