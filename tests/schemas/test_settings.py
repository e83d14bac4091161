"""Settings: where they come from, in which order, and what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError
from stepwell_schemas.settings import Settings


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STEPWELL_{name.upper()}", raising=False)
    monkeypatch.delenv("STEPWELL_CONFIG", raising=False)


def test_without_any_setting_an_embedded_server_is_meant() -> None:
    settings = Settings()
    assert (settings.store_url, settings.data_dir, settings.durability) == (None, Path(".stepwell"), "fsync")
    assert (settings.queues, settings.api_keys, settings.partitions) == (["default"], {}, 16)


def test_the_environment_may_give_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_QUEUES", "a, b,")
    monkeypatch.setenv("STEPWELL_HTTP_ALLOW", '["x.example", "y.example"]')
    monkeypatch.setenv("STEPWELL_API_KEYS", "k1=admin,k2==reader")
    settings = Settings()
    assert settings.queues == ["a", "b"]
    assert settings.http_allow == ["x.example", "y.example"]
    assert settings.api_keys == {"k1": "admin", "k2=": "reader"}


def test_api_keys_may_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_API_KEYS", '{"k,1": "operator"}')
    assert Settings().api_keys == {"k,1": "operator"}


@pytest.mark.parametrize("written", ["k1", "k1=owner", '{"k":', "=admin"])
def test_api_keys_without_a_known_role_are_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_API_KEYS", written)
    with pytest.raises((ValidationError, SettingsError)):
        Settings()


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Settings(api_keys={"secret": "admin"}))


def test_the_file_gives_way_to_the_environment_and_that_to_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "stepwell.toml").write_text(
        'namespace = "file"\napi_port = 1\npartitions = 4\nqueues = ["x"]\n'
    )
    monkeypatch.setenv("STEPWELL_API_PORT", "2")
    monkeypatch.setenv("STEPWELL_PARTITIONS", "5")
    settings = Settings(partitions=6)
    assert (settings.namespace, settings.api_port, settings.partitions) == ("file", 2, 6)
    assert settings.queues == ["x"]


def test_a_named_file_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("partitions = 4\n")
    monkeypatch.setenv("STEPWELL_CONFIG", str(tmp_path / "other.toml"))
    assert Settings().partitions == 4


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_CONFIG", "nowhere.toml")
    with pytest.raises(ValueError, match=r"nowhere\.toml"):
        Settings()


def test_an_unknown_key_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stepwell.toml").write_text("partition = 4\n")
    with pytest.raises(ValidationError, match="partition"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partitions", "0"),
        ("durability", "maybe"),
        ("api_port", "70000"),
        ("engine_lease_seconds", "0"),
        ("namespace", "a:b"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"STEPWELL_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()
