"""How devices spread over partitions: even, whatever their names look like."""

from collections import Counter
from collections.abc import Callable

import pytest
from stepwell_store.partition import partition_of

DEVICES = 20_000

NAMES: list[Callable[[int], str]] = [
    lambda n: f"device-{n}",
    lambda n: f"{n:08x}",
    lambda n: f"00:1a:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}:01",
    lambda n: f"plant-{n % 40}/line-{n // 40 % 25}/sensor-{n // 1_000}",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("partitions", [2, 16, 64, 100])
def test_devices_spread_evenly_by_the_chi_square_test(name: Callable[[int], str], partitions: int) -> None:
    found = Counter(partition_of(name(n), partitions) for n in range(DEVICES))
    expected = DEVICES / partitions
    statistic = sum((found[number] - expected) ** 2 / expected for number in range(partitions))
    freedom = partitions - 1
    # The critical value at one in a million, by the approximation of Wilson and Hilferty.
    critical = freedom * (1 - 2 / (9 * freedom) + 4.753 * (2 / (9 * freedom)) ** 0.5) ** 3
    assert statistic < critical, f"{statistic:.1f} with {freedom} degrees of freedom, at most {critical:.1f}"
