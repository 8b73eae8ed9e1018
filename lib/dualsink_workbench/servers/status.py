"""Status of an environment: addresses, processes, names, files.

It says where secrets are kept, and holds none.
"""

from typing import Any

from rich.console import Console

from dualsink.settings import Settings
from dualsink.spark import java
from dualsink_workbench.servers.stack import LocalServers


def describe(settings: Settings) -> dict[str, Any]:
    """Describe all that a program needs to read the stores.

    The description is of JSON types.
    """
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
        "spark": java.describe_spark(settings.spark_master),
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
            "file": str(settings.credentials_file) if local else None,
            "s3_access_key_env": settings.s3_access_key_env,
            "s3_secret_key_env": settings.s3_secret_key_env,
            "opensearch_user_env": settings.opensearch_user_env,
            "opensearch_password_env": settings.opensearch_password_env,
        },
    }


def show(description: dict[str, Any], out: Console) -> None:
    """Print a description for people."""
    rows = {
        "environment": f"{description['environment']} ({description['servers']} servers)",
        **description["endpoints"],
        "topic": description["topic"],
        "archive": description["tables"]["archive"],
        "index alias": description["index_alias"],
        "data": description["data_dir"],
    }
    for name, value in rows.items():
        out.print(f"{name:<12} {value}", soft_wrap=True)
    for server in description["processes"]:
        out.print(f"{server['name']:<12} {_state(server)}", soft_wrap=True)
    for name, program in {
        "spark": description["spark"],
        **{server["name"]: server for server in description["processes"]},
    }.items():
        if program["java_reason"]:
            out.print(f"{name:<12} {_java(program)}", soft_wrap=True)


def _state(server: dict[str, Any]) -> str:
    if server["running"]:
        return f"process {server['pid']}, {'healthy' if server['healthy'] else 'not healthy'}"
    return f"not running; optional, with --with {server['name']}" if server["optional"] else "not running"


def _java(program: dict[str, Any]) -> str:
    return f"{program['java']}; {program['java_reason']}" if program["java"] else program["java_reason"]


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
        "java_reason": server.java_reason,
        "optional": server.optional,
    }
