"""The five notebooks as a DAG for Airflow 3 with the papermill provider; every parameter is a string.

The worker needs the package `dualsink`, the notebooks in NOTEBOOKS, a STATE folder that outlives its tasks, the params
file PARAMS (params.yaml beside this file) and the stores' keys in its environment. See docs/deploy.md.
"""

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.sdk import DAG, chain

STAGES = ("01_setup", "02_produce", "03_stream", "04_query", "05_validate")
NOTEBOOKS = "/opt/airflow/notebooks"
STATE = "/var/lib/dualsink"
PARAMS = "/opt/airflow/params.yaml"
PARAMETERS = {
    "execution_date": "{{ dag_run.run_after.strftime('%Y-%m-%d') }}",
    "params_file": PARAMS,
    "run_id": "{{ run_id | replace(':', '-') | replace('+', '_') }}",
    "enable_validation": "True",
    "enable_cleanup": "False",
    "kafka_bootstrap_servers": "infrastructure-kafka:9092",
    "kafka_topic": "application_logs",
    "opensearch_host": "infrastructure-opensearch",
    "opensearch_port": "9200",
    "opensearch_index": "application-logs",
    "database_name": "demo",
    "iceberg_table": "application_logs_archive",
    "num_log_events": "200",
    "streaming_duration_seconds": "25",
}

# One run at a time: a checkpoint belongs to one driver.
with DAG(
    dag_id="dualsink",
    description="Application logs from Kafka to OpenSearch and Iceberg, with a ledger",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1},
    tags=["dualsink"],
):
    chain(
        *(
            PapermillOperator(
                task_id=stage,
                input_nb=f"{NOTEBOOKS}/{stage}.ipynb",
                output_nb=f"{STATE}/{PARAMETERS['run_id']}--{stage}.ipynb",
                parameters=PARAMETERS,
                kernel_name="python3",
                language_name="python",
            )
            for stage in STAGES
        )
    )
