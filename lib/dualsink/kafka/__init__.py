"""Kafka: the topic, its records, its producer."""
