"""Settings: the environment first, then `$ORDINAUT_HOME/ordinaut.toml`.

The only module that reads the environment. Unknown keys in the file are errors.
"""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ordinaut_mcp.errors import InvalidInput, did_you_mean

FILE_NAME = "ordinaut.toml"
PINNED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
)
"""What the runtime takes from its first starter: enough to find and start tool servers."""
RULES: Final = {
    "agent": "must be a name of at most 63 lower-case letters, digits, '_' and '-'",
    "database_url": "must begin with postgresql://",
    "llm_base_url": "must begin with https:// or http:// and hold no user or password",
    "redis_url": "must begin with redis://, rediss:// or unix://",
}
"""What is said instead of a pattern."""
HIDDEN: Final = frozenset({"database_url", "redis_url", "llm_api_key", "llm_base_url"})
"""May hold passwords: never shown."""


def default_home() -> Path:
    """The platform's user data folder; for root `/var/lib/ordinaut`."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/ordinaut")
    from platformdirs import user_data_path

    return user_data_path("ordinaut", appauthor=False)


class Settings(BaseSettings):
    """Every setting with its default; `docs/reference/settings.md` explains each."""

    model_config = SettingsConfigDict(env_prefix="ORDINAUT_", extra="forbid", frozen=True)

    home: Path = Field(default_factory=default_home)
    database_url: str | None = Field(default=None, pattern=r"^postgres(ql)?://|^\s*\w+\s*=")
    redis_url: str | None = Field(default=None, pattern=r"^(rediss?|unix)://")
    tools_file: Path | None = None
    timezone: str | None = None
    agent: str = Field(default="local", pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8765, ge=1, le=65535)
    worker_slots: int = Field(default=16, ge=1, le=1000)
    lease_seconds: float = Field(default=30, ge=0.5, le=3600)
    pause_after_failures: int = Field(default=10, ge=0, le=1000)
    min_interval_seconds: float = Field(default=1, ge=1, le=86_400)
    retention_days: float = Field(default=90, ge=1, le=36_500)
    event_retention_days: float = Field(default=3, ge=1, le=36_500)
    secrets_file: Path | None = None
    http_allow: Annotated[tuple[str, ...], NoDecode] = ()
    llm_provider: Literal["none", "fake", "openai", "anthropic"] = "none"
    llm_model: str | None = None
    llm_base_url: str | None = Field(default=None, pattern=r"^https?://[^\s@]+$")
    llm_api_key: SecretStr | None = None
    llm_max_tokens: int = Field(default=4096, ge=1, le=1_000_000)
    llm_input_price: float | None = Field(default=None, ge=0, le=1_000_000, allow_inf_nan=False)
    llm_output_price: float | None = Field(default=None, ge=0, le=1_000_000, allow_inf_nan=False)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    environment: dict[str, str] = Field(default_factory=dict[str, str])
    """What the local runtime was first started with; written into the file, not by people."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over the file; no dotenv, no secret folder."""
        return (env_settings, init_settings)

    @field_validator("http_allow", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        """In the environment the entries stand on one line, between commas."""
        if isinstance(given, str):
            return [entry.strip() for entry in given.split(",") if entry.strip()]
        return given

    @property
    def tools_path(self) -> Path:
        """Where the tool servers are listed."""
        return self.tools_file or self.home / "tools.json"

    @property
    def lease(self) -> timedelta:
        """How long a worker may hold a run without renewing."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def retention(self) -> timedelta:
        """How long runs and steps are kept."""
        return timedelta(days=self.retention_days)

    @property
    def event_retention(self) -> timedelta:
        """How long events are kept after they were told."""
        return timedelta(days=self.event_retention_days)

    @property
    def zone_name(self) -> str:
        """The zone for tasks that name none: the setting, the machine's, else UTC."""
        return self.timezone or _machine_zone()


def load_settings(home: Path | None = None) -> Settings:
    """Read the settings that hold now.

    Raises:
        InvalidInput: `invalid_config`, naming the key, its source and what is allowed.
    """
    chosen = home or Path(os.environ.get("ORDINAUT_HOME") or default_home()).expanduser()
    path = chosen.absolute() / FILE_NAME
    found = _read_file(path)
    if "home" in found:
        raise _wrong(f"{path} cannot say where it is itself: remove 'home'.", "home")
    try:
        values: dict[str, Any] = {**found, "home": chosen.absolute()}
        settings = Settings(**values)
    except ValidationError as error:
        raise _told(error, path) from None
    return settings.model_copy(update={"home": chosen.absolute(), **_paths(settings, chosen)})


def _paths(settings: Settings, home: Path) -> dict[str, Path]:
    """The files that settings name: from the environment they are relative to the current
    folder, from the file to the home."""
    given = {"tools_file": settings.tools_file, "secrets_file": settings.secrets_file}
    found: dict[str, Path] = {}
    for name, path in given.items():
        if path is not None:
            base = Path.cwd() if f"ORDINAUT_{name.upper()}" in os.environ else home.absolute()
            found[name] = base / path.expanduser()
    return found


def pin_environment(settings: Settings) -> Mapping[str, str]:
    """What tool servers and children run with: pinned at the first start, kept for later ones."""
    if settings.environment:
        return settings.environment
    pinned = {name: os.environ[name] for name in PINNED if name in os.environ}
    path = settings.home / FILE_NAME
    lines = [f"{name} = {json.dumps(value)}" for name, value in pinned.items()]
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    # Put in place as a whole: of two that start together one wins, and neither spoils the file.
    made = path.with_name(f"{FILE_NAME}.{os.getpid()}")
    made.write_text("\n".join([before, "[environment]", *lines, ""]), encoding="utf-8")
    if before:
        shutil.copymode(path, made)
    made.replace(path)
    return pinned


def process_environment() -> dict[str, str]:
    """A copy of this process's environment, for the children that we start."""
    return dict(os.environ)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        return {}
    except PermissionError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}", "ordinaut.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(f"{path} is not valid TOML: {error}", "ordinaut.toml") from error


def _told(error: ValidationError, path: Path) -> InvalidInput:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = sorted(set(Settings.model_fields) - {"home"})
        return InvalidInput(
            f"{path} has an unknown key '{key}'.",
            code="invalid_config",
            field=key,
            hint=did_you_mean(key, known) or "Remove it.",
            allowed=known,
        )
    name = f"ORDINAUT_{key.upper()}"
    said = RULES.get(key, first["msg"])
    shown = "" if key in HIDDEN else f", not {first['input']!r}"
    return _wrong(f"{name} (or '{key}' in {path}): {said}{shown}.", key)


def _wrong(message: str, key: str) -> InvalidInput:
    hint = "Correct it, then call again; `ordinaut-mcp doctor` checks everything."
    return InvalidInput(message, code="invalid_config", field=key, hint=hint)


def _machine_zone() -> str:
    from tzlocal import get_localzone_name

    try:
        return get_localzone_name() or "UTC"
    except (LookupError, OSError, ValueError):
        return "UTC"
