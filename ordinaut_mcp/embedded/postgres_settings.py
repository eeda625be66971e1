"""The three files by which the embedded PostgreSQL is ours: settings, who gets in, as whom."""

from __future__ import annotations

from pathlib import Path

from ordinaut_mcp.embedded.disk import explaining, write_private
from ordinaut_mcp.embedded.owner import SYSTEM_ACCOUNT
from ordinaut_mcp.embedded.place import Place

ROLE = "ordinaut"
DATABASE = "ordinaut"
SUPERUSER = "postgres"
MAP = "ordinaut"
SETTINGS_FILE = "ordinaut.conf"

SETTINGS: dict[str, str | int] = {
    "listen_addresses": "",
    "port": 5432,  # only a part of the socket's name
    "unix_socket_permissions": "0700",
    "max_connections": 100,
    "shared_buffers": "128MB",
    "jit": "off",
    "io_method": "sync",  # no workers for reading ahead: the queue is small and hot
    # Files, not /dev/shm: a logout may empty that (RemoveIPC), and containers give it 64 MB.
    "dynamic_shared_memory_type": "mmap",
    "min_dynamic_shared_memory": "16MB",
    "max_parallel_workers_per_gather": 0,
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "min_wal_size": "80MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "5min",
    "autovacuum": "on",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": 1000,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",
    "log_file_mode": "0600",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "10MB",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # The details of an error quote rows, and rows may hold what nobody should read in a log.
    "log_error_verbosity": "terse",
    "cluster_name": "ordinaut",
}


def write_settings(place: Place, *, database: Path, sockets: Path, logs: Path) -> None:
    """Write the files anew, so that a moved home or a renamed account is met at each start."""
    settings = SETTINGS | {
        "unix_socket_directories": f'"{str(sockets).replace(chr(34), chr(34) * 2)}"',
        "log_directory": str(logs),
    }
    texts = {
        SETTINGS_FILE: "".join(f"{name} = {quoted(value)}\n" for name, value in settings.items()),
        "pg_hba.conf": f"local all all peer map={MAP}\n",
        "pg_ident.conf": identities(place.owner.name, lent=place.owner.lent),
    }
    with explaining(database):
        for name, text in texts.items():
            write_private(database / name, text, owner=place.owner.ids)


def quoted(value: str | int) -> str:
    """A value as postgresql.conf wants it: quotes doubled, backslashes too."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def identities(account: str, *, lent: bool) -> str:
    """Who may be which role: root and the owner, nobody else.

    An account that root only borrowed (`nobody`) is no owner: others may run as it, too.
    """
    owners = {"root"} if lent and account != SYSTEM_ACCOUNT else {"root", account}
    return "".join(
        f'{MAP} "{owner}" {role}\n' for owner in sorted(owners) for role in (ROLE, SUPERUSER)
    )
