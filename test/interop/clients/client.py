"""Drives one Python Kafka client for the interop tests.

usage: client.py LIBRARY produce|consume < request.json     client.py LIBRARY join REQUEST

`produce` and `consume` answer once; `join` is one member of a group: it prints a line of JSON for every assignment and every record,
commits what it has printed, and leaves the group on SIGTERM.
"""
import asyncio
import base64
import json
import signal
import sys

stopping = False


def stop(*_):
    global stopping
    stopping = True


def encode(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def tell(**facts):
    sys.stdout.write(json.dumps(facts) + '\n')
    sys.stdout.flush()


def headers_of(record):
    return [(name, decode(value)) for name, value in record['headers']]


def as_seen(partition, offset, key, value, headers):
    return {
        'partition': partition,
        'offset': offset,
        'key': encode(key),
        'value': encode(value),
        'headers': [[name, encode(data)] for name, data in headers or []],
    }


# --- confluent-kafka (librdkafka) ---------------------------------------------------------------------------------------------


def confluent_produce(request):
    from confluent_kafka import Producer

    for order in request['orders']:
        failures = []
        producer = Producer({
            'bootstrap.servers': request['bootstrap'],
            'compression.codec': order['compression'],
            'enable.idempotence': order['idempotent'],
            'acks': 'all',
            'linger.ms': 5,
        })
        for record in order['records']:
            producer.produce(
                order['topic'],
                key=decode(record['key']),
                value=decode(record['value']),
                partition=record['partition'],
                headers=headers_of(record),
                on_delivery=lambda error, _: failures.append(str(error)) if error else None,
            )
        left = producer.flush(30)
        if left or failures:
            raise SystemExit(f'{left} records not delivered: {failures[:3]}')


def confluent_seen(message):
    return as_seen(message.partition(), message.offset(), message.key(), message.value(), message.headers())


def confluent_consume(request):
    from confluent_kafka import Consumer, OFFSET_BEGINNING, TopicPartition

    consumer = Consumer({'bootstrap.servers': request['bootstrap'], 'group.id': 'unused', 'fetch.wait.max.ms': 100})
    partitions = consumer.list_topics(request['topic'], 10).topics[request['topic']].partitions
    consumer.assign([TopicPartition(request['topic'], number, OFFSET_BEGINNING) for number in partitions])
    seen = []
    while len(seen) < request['count']:
        message = consumer.poll(20)
        if message is None or message.error():
            raise SystemExit(f'after {len(seen)} records: {message and message.error()}')
        seen.append(confluent_seen(message))
    consumer.close()
    return seen


def confluent_join(request):
    from confluent_kafka import Consumer

    settings = {
        'bootstrap.servers': request['bootstrap'],
        'group.id': request['group'],
        'auto.offset.reset': 'earliest',
        'enable.auto.commit': False,
        'fetch.wait.max.ms': 100,
        'topic.metadata.refresh.interval.ms': 1000,
    }
    if request.get('protocol') == 'consumer':
        # The broker tells sessions and heartbeats; assignments change by what is gained and lost.
        consumer = Consumer({**settings, 'group.protocol': 'consumer'})
        numbers = lambda parts: [part.partition for part in parts]
        handlers = {
            'on_assign': lambda _, parts: tell(gained=numbers(parts)),
            'on_revoke': lambda _, parts: tell(lost=numbers(parts)),
            'on_lost': lambda _, parts: tell(lost=numbers(parts)),
        }
    else:
        consumer = Consumer({**settings, 'session.timeout.ms': 6000, 'heartbeat.interval.ms': 300})
        handlers = {
            'on_assign': lambda _, parts: tell(assigned=[part.partition for part in parts]),
            'on_revoke': lambda *_: tell(assigned=[]),
        }
    consumer.subscribe([request['topic']], **handlers)
    while not stopping:
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error():
            raise SystemExit(str(message.error()))
        tell(seen=confluent_seen(message))
        consumer.commit(message, asynchronous=False)
    consumer.close()


# --- kafka-python -------------------------------------------------------------------------------------------------------------


def kafka_python_produce(request):
    from kafka import KafkaProducer

    for order in request['orders']:
        producer = KafkaProducer(
            bootstrap_servers=request['bootstrap'],
            compression_type=None if order['compression'] == 'none' else order['compression'],
            enable_idempotence=order['idempotent'],
            acks='all',
            linger_ms=5,
        )
        futures = [
            producer.send(
                order['topic'],
                key=decode(record['key']),
                value=decode(record['value']),
                partition=record['partition'],
                headers=headers_of(record),
            )
            for record in order['records']
        ]
        for future in futures:
            future.get(timeout=30)
        producer.close()


def kafka_python_seen(record):
    return as_seen(record.partition, record.offset, record.key, record.value, record.headers)


def kafka_python_consume(request):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=request['bootstrap'], auto_offset_reset='earliest', consumer_timeout_ms=20000, fetch_max_wait_ms=100
    )
    partitions = [TopicPartition(request['topic'], number) for number in sorted(consumer.partitions_for_topic(request['topic']))]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    seen = []
    for record in consumer:
        seen.append(kafka_python_seen(record))
        if len(seen) >= request['count']:
            break
    consumer.close()
    return seen


def kafka_python_join(request):
    from kafka import ConsumerRebalanceListener, KafkaConsumer

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            tell(assigned=[])

        def on_partitions_assigned(self, assigned):
            tell(assigned=[part.partition for part in consumer.assignment()])

    consumer = KafkaConsumer(
        bootstrap_servers=request['bootstrap'],
        group_id=request['group'],
        auto_offset_reset='earliest',
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=300,
        fetch_max_wait_ms=100,
    )
    consumer.subscribe([request['topic']], listener=Listener())
    while not stopping:
        polled = consumer.poll(timeout_ms=100)
        for records in polled.values():
            for record in records:
                tell(seen=kafka_python_seen(record))
        if polled:
            consumer.commit()
    consumer.close()


# --- aiokafka -----------------------------------------------------------------------------------------------------------------


async def aiokafka_produce_all(request):
    from aiokafka import AIOKafkaProducer

    for order in request['orders']:
        producer = AIOKafkaProducer(
            bootstrap_servers=request['bootstrap'],
            compression_type=None if order['compression'] == 'none' else order['compression'],
            enable_idempotence=order['idempotent'],
            acks='all',
            linger_ms=5,
        )
        await producer.start()
        try:
            futures = [
                await producer.send(
                    order['topic'],
                    key=decode(record['key']),
                    value=decode(record['value']),
                    partition=record['partition'],
                    headers=headers_of(record),
                )
                for record in order['records']
            ]
            await asyncio.gather(*futures)
        finally:
            await producer.stop()


async def aiokafka_consume_all(request):
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=request['bootstrap'], enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        await consumer._client.set_topics([request['topic']])
        numbers = sorted(consumer.partitions_for_topic(request['topic']))
        partitions = [TopicPartition(request['topic'], number) for number in numbers]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        seen = []
        while len(seen) < request['count']:
            record = await asyncio.wait_for(consumer.getone(), 20)
            seen.append(kafka_python_seen(record))
        return seen
    finally:
        await consumer.stop()


async def aiokafka_join_group(request):
    from aiokafka import AIOKafkaConsumer
    from aiokafka.abc import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):
        async def on_partitions_revoked(self, revoked):
            tell(assigned=[])

        async def on_partitions_assigned(self, assigned):
            tell(assigned=[part.partition for part in assigned])

    consumer = AIOKafkaConsumer(
        bootstrap_servers=request['bootstrap'],
        group_id=request['group'],
        auto_offset_reset='earliest',
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=300,
        fetch_max_wait_ms=100,
    )
    consumer.subscribe([request['topic']], listener=Listener())
    await consumer.start()
    try:
        while not stopping:
            polled = await consumer.getmany(timeout_ms=100)
            for records in polled.values():
                for record in records:
                    tell(seen=kafka_python_seen(record))
            if any(polled.values()):
                await consumer.commit()
    finally:
        await consumer.stop()


actions = {
    ('confluent-kafka', 'produce'): confluent_produce,
    ('confluent-kafka', 'consume'): confluent_consume,
    ('confluent-kafka', 'join'): confluent_join,
    ('kafka-python', 'produce'): kafka_python_produce,
    ('kafka-python', 'consume'): kafka_python_consume,
    ('kafka-python', 'join'): kafka_python_join,
    ('aiokafka', 'produce'): lambda request: asyncio.run(aiokafka_produce_all(request)),
    ('aiokafka', 'consume'): lambda request: asyncio.run(aiokafka_consume_all(request)),
    ('aiokafka', 'join'): lambda request: asyncio.run(aiokafka_join_group(request)),
}


def main():
    library, action = sys.argv[1:3]
    signal.signal(signal.SIGTERM, stop)
    request = json.loads(sys.argv[3]) if action == 'join' else json.load(sys.stdin)
    answer = actions[library, action](request)
    if answer is not None:
        print(json.dumps(answer))


main()
