"""Where everything of an environment is: addresses, processes, names, files. No secrets, only where they are kept."""

from typing import Any

from rich.console import Console

from dualsink.local.credentials import credentials_file
from dualsink.local.servers import LocalServers
from dualsink.settings import Settings


def describe(settings: Settings) -> dict[str, Any]:
    """All that another program needs to read the stores itself, as JSON types."""
    local = settings.servers == "local"
    return {
        "environment": settings.environment,
        "servers": settings.servers,
        "data_dir": str(settings.data_path),
        "runs_dir": str(settings.runs_path),
        "endpoints": {
            "kafka": settings.kafka_bootstrap_servers,
            "opensearch": settings.opensearch_url,
            "nessie": settings.nessie_uri,
            "s3": settings.s3_endpoint,
            "trino": settings.trino_uri,
        },
        "processes": [_process(server) for server in LocalServers(settings).status()] if local else [],
        "topic": settings.kafka_topic,
        "tables": {"archive": settings.archive_table, "quarantine": settings.quarantine_table},
        "catalog": {
            "name": settings.catalog_name,
            "type": "nessie",
            "uri": settings.nessie_uri,
            "ref": settings.nessie_ref,
            "warehouse": settings.warehouse,
            "s3_endpoint": settings.s3_endpoint,
            "s3_region": settings.s3_region,
        },
        "index_alias": settings.opensearch_index,
        "checkpoint": settings.checkpoint_url or str(settings.checkpoint_path),
        "credentials": {
            "file": str(credentials_file(settings)) if local else None,
            "s3_access_key_env": settings.s3_access_key_env,
            "s3_secret_key_env": settings.s3_secret_key_env,
            "opensearch_user_env": settings.opensearch_user_env,
            "opensearch_password_env": settings.opensearch_password_env,
        },
    }


def show(found: dict[str, Any], out: Console) -> None:
    """Print what `describe` found, for people."""
    rows = {
        "environment": f"{found['environment']} ({found['servers']} servers)",
        **found["endpoints"],
        "topic": found["topic"],
        "archive": found["tables"]["archive"],
        "index alias": found["index_alias"],
        "data": found["data_dir"],
    }
    for name, value in rows.items():
        out.print(f"{name:<12} {value}", soft_wrap=True)
    for server in found["processes"]:
        out.print(f"{server['name']:<12} {_state(server)}", soft_wrap=True)


def _state(server: dict[str, Any]) -> str:
    if server["running"]:
        return f"process {server['pid']}, {'healthy' if server['healthy'] else 'not healthy'}"
    return f"not running; optional, with --with {server['name']}" if server["optional"] else "not running"


def _process(server: Any) -> dict[str, Any]:
    return {
        "name": server.name,
        "running": server.running,
        "healthy": server.healthy,
        "pid": server.pid,
        "endpoint": server.endpoint,
        "data_dir": str(server.data_dir),
        "log": str(server.log_file),
        "java": server.java,
        "optional": server.optional,
    }
