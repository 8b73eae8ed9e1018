"""Main file for spark-submit: one topic of logs to OpenSearch and to an Iceberg archive."""

from dualsink.cli.submit import main

if __name__ == "__main__":
    main()
