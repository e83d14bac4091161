"""JSON documents for property tests, and how those run."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

property_test = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
"""No deadline, since other tests share the processor; no example files beside the project."""

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)
)
keys = st.one_of(st.sampled_from(["a", "b", "c", "state", "x y"]), st.text(max_size=4))
documents: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
