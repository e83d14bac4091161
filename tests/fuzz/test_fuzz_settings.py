"""Whatever stands in the environment or in `stepwell.toml`: settings a process can work with, or a told problem."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzz.amount import examples
from fuzz.mutation import garbled
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stepwell_schemas.settings import Settings

NAMES = sorted(Settings.model_fields)
NUMBERS = ["0", "-1", "1e300", "inf", "-inf", "nan", "1e-300", "0x10", "1_000", "\uff19", "9" * 400]
LISTS = [
    "[" * 5_000,
    '["a",1]',
    "{",
    '{"a":"admin"}',
    '{"a":null}',
    "=admin",
    "a=",
    ",,,",
    "a=admin,a=reader",
    "\x00",
]
WRITTEN = st.one_of(
    st.sampled_from(NUMBERS + LISTS),
    st.floats().map(repr),
    st.integers().map(str),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30),
)
TOML = """
namespace = "stepwell"
partitions = 16
queues = ["default", "slow"]
engine_lease_seconds = 5.0
http_allow = ["example.org"]

[api_keys]
secret = "admin"
"""


def is_workable(settings: Settings) -> None:
    """What processes do with settings first of all."""
    assert int(settings.engine_lease_seconds * 1_000) >= 10
    assert int(settings.worker_lease_seconds * 1_000) >= 10
    assert 0 <= int(settings.event_retention_days * 86_400_000) < 2**53
    assert 0 <= settings.engine_cache_mib * 1_048_576 <= 2**40
    assert all(
        isinstance(name, str) for name in (*settings.queues, *settings.activity_modules, *settings.api_keys)
    )
    Settings.model_validate(settings.model_dump())


def read(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], folder: Path) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        for name, value in environment.items():
            if "\x00" not in value:
                patch.setenv(f"STEPWELL_{name.upper()}", value)
        settings, told = loaded()
        if settings is None:
            assert told
            assert all(told)
        else:
            is_workable(settings)


def loaded() -> tuple[Settings | None, list[Any]]:
    """The settings, or what is told of them: the names of wrong ones, or why nothing can be read."""
    try:
        return Settings(), []
    except ValidationError as error:
        return None, [problem["loc"] for problem in error.errors()]
    except ValueError as error:
        return None, [str(error)]


@examples(300)
@given(environment=st.dictionaries(st.sampled_from(NAMES), WRITTEN, max_size=4))
def test_any_environment_is_workable_or_told(tmp_path_factory: Any, environment: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        read(monkeypatch, environment, tmp_path_factory.getbasetemp())


@examples(300)
@given(seed=st.integers(0, 2**32))
def test_any_file_is_workable_or_told(tmp_path_factory: Any, seed: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "settings"
    folder.mkdir(exist_ok=True)
    text = garbled(TOML, Random(seed), 3)
    (folder / "stepwell.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        read(monkeypatch, {}, folder)
