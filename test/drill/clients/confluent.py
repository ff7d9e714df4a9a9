"""Drives confluent-kafka (librdkafka) for the drill.

usage: confluent.py produce ORDER < records     confluent.py consume ORDER

`produce` reads framed records from standard input until it ends and answers when all are acknowledged. `consume` is the only member of
a group: it reads on from what the group committed until it has seen as many records as ordered, commits, and answers how many it saw
and where each partition began.

  record: load u16 | partition i32 | time i64 | key length i32, key | value length i32, value | header count u16, headers
  header: name length u16, name | value length i32, value                      (length -1 is null; all big-endian)
"""
import json
import struct
import sys
import time

fixed = struct.Struct('>Hiqi')
int32 = struct.Struct('>i')
uint16 = struct.Struct('>H')


class Frames:
    def __init__(self, stream):
        self.stream = stream

    def take(self, size):
        data = self.stream.read(size)
        if len(data) != size:
            raise SystemExit('the records end in the middle of one')
        return data

    def sized(self):
        (size,) = int32.unpack(self.take(4))
        return None if size < 0 else self.take(size)

    def __iter__(self):
        while True:
            first = self.stream.read(fixed.size)
            if not first:
                return
            load, partition, timestamp, key_size = fixed.unpack(first)
            key = None if key_size < 0 else self.take(key_size)
            value = self.sized()
            (count,) = uint16.unpack(self.take(2))
            headers = []
            for _ in range(count):
                (name_size,) = uint16.unpack(self.take(2))
                name = self.take(name_size).decode()
                headers.append((name, self.sized()))
            yield load, partition, timestamp, key, value, headers


def produce(order):
    from confluent_kafka import Producer

    failures = []

    def on_delivery(error, message):
        if error:
            failures.append(f'{message.topic()}: {error}')

    producers = {}
    for load in order['loads']:
        producers.setdefault((load['codec'], load['idempotent']), Producer({
            'bootstrap.servers': order['bootstrap'],
            'compression.codec': load['codec'],
            'enable.idempotence': load['idempotent'],
            'acks': 'all',
            'linger.ms': 20,
            'queue.buffering.max.messages': 50000,
            'queue.buffering.max.kbytes': 65536,
            'message.timeout.ms': 120000,
        }))
    loads = [(load['topic'], producers[load['codec'], load['idempotent']]) for load in order['loads']]
    count = 0
    for load, partition, timestamp, key, value, headers in Frames(sys.stdin.buffer):
        topic, producer = loads[load]
        while True:
            try:
                producer.produce(
                    topic, value, key, partition, timestamp=timestamp, headers=headers or None, on_delivery=on_delivery
                )
                break
            except BufferError:
                producer.poll(0.05)
        count += 1
        if count % 1000 == 0:
            for one in producers.values():
                one.poll(0)
    for producer in producers.values():
        left = producer.flush(120)
        if left:
            failures.append(f'{left} records were not acknowledged')
    if failures:
        raise SystemExit(f'{len(failures)} failures: {failures[:3]}')
    return {'records': count}


def consume(order):
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({
        'bootstrap.servers': order['bootstrap'],
        'group.id': order['group'],
        'auto.offset.reset': 'earliest',
        'enable.auto.commit': False,
        'session.timeout.ms': 30000,
        'fetch.wait.max.ms': 100,
        'queued.max.messages.kbytes': 65536,
    })
    consumer.subscribe(order['topics'])
    first, last, seen = {}, {}, 0
    deadline = time.monotonic() + order['timeoutMs'] / 1000
    while seen < order['count']:
        if time.monotonic() > deadline:
            raise SystemExit(f'{seen} of {order["count"]} records seen when the time was up')
        for message in consumer.consume(2000, 0.2):
            if message.error():
                raise SystemExit(str(message.error()))
            where = (message.topic(), message.partition())
            first.setdefault(where, message.offset())
            last[where] = message.offset()
            seen += 1
    consumer.commit(
        offsets=[TopicPartition(topic, partition, offset + 1, order['note']) for (topic, partition), offset in last.items()],
        asynchronous=False,
    )
    consumer.close()
    return {
        'seen': seen,
        'first': {f'{topic}-{partition}': offset for (topic, partition), offset in first.items()},
        'last': {f'{topic}-{partition}': offset for (topic, partition), offset in last.items()},
    }


def main():
    action, order = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps({'produce': produce, 'consume': consume}[action](order)))


main()
