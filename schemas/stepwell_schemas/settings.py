"""The settings of a process: environment (STEPWELL_*), `stepwell.toml` (or STEPWELL_CONFIG), then defaults.

Lists may be given as comma-separated text, `api_keys` also as `key=role,key=role`.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Role = Literal["admin", "operator", "publisher", "reader"]
ROLES: tuple[str, ...] = get_args(Role)


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return _json(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return _json(value)
    pairs = [part.strip().rpartition("=") for part in value.split(",") if part.strip()]
    if any(not key for key, _, _ in pairs):
        raise ValueError("write key=role, several with commas between them")
    return {key: role for key, _, role in pairs}


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error


TextList = Annotated[list[str], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """All settings. An unknown key in the file is an error; unknown environment variables are ignored."""

    model_config = SettingsConfigDict(env_prefix="STEPWELL_", extra="forbid", use_attribute_docstrings=True)

    namespace: str = Field(default="stepwell", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The first part of every key and queue name."""
    store_url: str | None = None
    """redis://, rediss:// or unix:// address; without it an embedded server in `data_dir`."""
    queue_url: str | None = None
    """RQ's Redis; without it the store's."""
    data_dir: Path = Path(".stepwell")
    """Where the embedded server and local files live."""
    partitions: int = Field(default=16, ge=1, le=1024)
    """Fixed when a store is created."""
    durability: Literal["fsync", "everysec", "memory"] = "fsync"
    """What the embedded server does before a write counts as done."""
    activity_modules: TextList = Field(default_factory=list)
    """Python modules to import for their activities."""
    queues: TextList = Field(default_factory=lambda: ["default"])
    """The activity queues a worker serves."""
    records_url: str | None = None
    """SQLAlchemy address of the built-in records; without it SQLite in `data_dir`."""
    api_host: str = "127.0.0.1"
    """Address the API binds to; a public one needs keys."""
    api_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the API; 0 takes a free one."""
    api_keys: Annotated[dict[str, Role], NoDecode, BeforeValidator(_pairs)] = Field(
        default_factory=dict, repr=False
    )
    """API key -> role."""
    http_allow: TextList = Field(default_factory=list)
    """Hosts that the activity http.request may call."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    """The largest request body."""
    rate_limit_per_second: int = Field(default=0, ge=0)
    """Requests per second and caller; 0 is no limit."""
    door_limit: int = Field(default=1_000_000, ge=1)
    """Events waiting at the door beyond which senders are told to wait."""
    engine_lease_seconds: float = Field(default=5, ge=0.01, le=86_400, allow_inf_nan=False)
    """After this long without a sign of life another engine takes a partition over; 0.01 to 86,400 (a day)."""
    engine_cache_mib: int = Field(default=64, ge=0, le=1_048_576)
    """Stored size of the instances and devices that an engine keeps at hand; its memory for them is about four times
    that. 64 is some 80,000 waiting instances; others are read again when something happens to them."""
    worker_lease_seconds: float = Field(default=10, ge=0.01, le=86_400, allow_inf_nan=False)
    """After this long without a sign of life an attempt counts as lost; 0.01 to 86,400 (a day)."""
    event_retention_days: float = Field(default=8, gt=0, le=36_500, allow_inf_nan=False)
    """How long accumulated events are kept, at most a century. Event ids are remembered for 8 to 12 days whatever this
    says."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages shown."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        named = os.environ.get("STEPWELL_CONFIG")
        if named and not Path(named).is_file():
            raise ValueError(f"STEPWELL_CONFIG names {named}, which is not a file")
        file = TomlConfigSettingsSource(settings_cls, Path(named) if named else Path("stepwell.toml"))
        return init_settings, env_settings, file
