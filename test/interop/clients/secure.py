"""Drives confluent-kafka over a secured listener: makes a topic, sends values to it, reads them back.

usage: secure.py < request.json      the request names the client's settings, a topic, values; and a bearer token, if there is one
"""
import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition, OFFSET_BEGINNING
from confluent_kafka.admin import AdminClient, NewTopic


def main():
    request = json.load(sys.stdin)
    settings = dict(request['settings'])
    if 'token' in request:
        settings['oauth_cb'] = lambda _: (request['token'], time.time() + 60)
    topic, values = request['topic'], request['values']
    admin = AdminClient(settings)
    admin.poll(0)
    for future in admin.create_topics([NewTopic(topic, 1, 1)], request_timeout=20).values():
        future.result(20)
    failures = []
    producer = Producer({**settings, 'acks': 'all'})
    for value in values:
        producer.produce(topic, value=value, on_delivery=lambda error, _: failures.append(str(error)) if error else None)
    if producer.flush(30) or failures:
        raise SystemExit(f'not delivered: {failures[:3]}')
    consumer = Consumer({**settings, 'group.id': f'{topic}-readers', 'fetch.wait.max.ms': 100})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    seen = []
    while len(seen) < len(values):
        message = consumer.poll(20)
        if message is None or message.error():
            raise SystemExit(f'after {len(seen)} records: {message and message.error()}')
        seen.append(message.value().decode())
    consumer.close()
    print(json.dumps(seen))


main()
