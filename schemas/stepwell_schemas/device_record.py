"""A device's stored record. What has its usual value is left out of it; `shown` gives it whole.

The device's own id is not in it: it lies under that.
"""

from collections.abc import Mapping
from typing import Any


def shown(wire: Mapping[str, Any]) -> dict[str, Any]:
    """A stored record (as its JSON object) with all that was left out of it.

    `next` and `first` are sequences of events, `bytes` those of the accumulator, times are epoch milliseconds;
    `running` is instance -> definition ("^" before a child workflow's), `ended` definition -> instance, `kept` event
    type -> how many no wait has taken. Raises KeyError where it is no such record.
    """
    first_ms = wire["firstMs"]
    return {
        "first": 1,
        "dropped": 0,
        "rejected": 0,
        "oldestMs": first_ms,
        "lastMs": first_ms,
        "running": {},
        "ended": {},
        "kept": {},
        "lastSequence": None,
        **wire,
    }
