"""What can go wrong with the store itself.

StoreError
├── StoreUnavailable    cannot be reached, or refuses writes (disk full)
│   └── StoreFull       has no memory left: writes are refused until there is some again
├── LayoutMismatch      written by a newer Stepwell, or with another number of partitions
└── CorruptValue        a value that is not what we write
"""


class StoreError(Exception):
    """Something is wrong with the store."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or refuses writes."""


class StoreFull(StoreUnavailable):
    """The store is out of memory; senders are to wait."""


class LayoutMismatch(StoreError):
    """The store's layout is not the one this version reads."""


class CorruptValue(StoreError):
    """A stored value is not what Stepwell writes. `key` names it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
