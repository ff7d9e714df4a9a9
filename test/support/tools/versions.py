"""Prints the versions of the Kafka clients in this environment, after importing each of them."""
import json
from importlib.metadata import version

import aiokafka
import confluent_kafka
import cramjam
import kafka
import lz4
import snappy
import zstandard

assert all((aiokafka, confluent_kafka, kafka, cramjam, lz4, snappy, zstandard))
print(json.dumps({name: version(name) for name in ('confluent-kafka', 'kafka-python', 'aiokafka')}))
