"""The people of the bank, with a real client (librdkafka), each a process of its own.

  bank.py order BOOTSTRAP ATONCE         the desk: writes orders, each with a number of its own, so many a transaction, until SIGTERM
  bank.py tell BOOTSTRAP ATONCE ID       a teller: books each order in two accounts, in a transaction together with the order's offset;
                                         goes on until SIGTERM, whatever happens to the broker
  bank.py audit BOOTSTRAP                prints every order and booking a reader of committed records finds, one JSON array a line
"""

import itertools
import json
import signal
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

ORDERS, ACCOUNTS, GROUP = "orders", "accounts", "tellers"
stop = threading.Event()


def producer(bootstrap, transactional_id):
    return Producer({
        "bootstrap.servers": bootstrap,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 20000,
        "linger.ms": 2,
        "reconnect.backoff.max.ms": 500,
        "retry.backoff.ms": 50,
        "metadata.recovery.strategy": "none",
        "log_level": 0,
    })


def reader(bootstrap, group, **more):
    return Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "reconnect.backoff.max.ms": 500,
        "fetch.wait.max.ms": 100,
        "metadata.recovery.strategy": "none",
        "log_level": 0,
        **more,
    })


def again(call):
    """As librdkafka asks for: a retriable error of a transactional call is answered by the same call once more. Not a time-out: that client
    is given up, for librdkafka 2.16 can wait for ever for a coordinator that died and came back (with Apache Kafka alike)."""
    while True:
        try:
            return call()
        except KafkaException as problem:
            if not problem.args[0].retriable() or problem.args[0].name() == "_TIMED_OUT":
                raise
            time.sleep(0.05)


def order_once(bootstrap, at_once, numbers):
    out = producer(bootstrap, "orders-desk")
    again(lambda: out.init_transactions(5))
    while not stop.is_set():
        out.begin_transaction()
        for _ in range(at_once):
            # A number that was in doubt is not used again: who reads the orders knows which there are.
            number = next(numbers)
            out.produce(ORDERS, key=str(number), value=json.dumps(["order", number, number % 7, number % 5 + 1]))
            out.poll(0)
        try:
            again(lambda: out.commit_transaction(5))
        except KafkaException as problem:
            if not problem.args[0].txn_requires_abort():
                raise
            again(lambda: out.abort_transaction(5))
        stop.wait(0.1)


def book(out, orders):
    for message in orders:
        _, number, account, amount = json.loads(message.value())
        out.produce(ACCOUNTS, key=f"{account}", value=json.dumps([number, "from", -amount]))
        out.produce(ACCOUNTS, key=f"{account + 1000}", value=json.dumps([number, "to", amount]))
        out.poll(0)


def tell_once(bootstrap, at_once, teller):
    """One life of a teller: until told to stop, or until its client cannot go on."""
    out = producer(bootstrap, teller)
    incoming = reader(bootstrap, GROUP)
    booked = 0
    try:
        again(lambda: out.init_transactions(5))
        incoming.subscribe([ORDERS])
        while not stop.is_set():
            orders = [one for one in incoming.consume(at_once, timeout=0.2) if one.error() is None]
            if not orders:
                continue
            out.begin_transaction()
            try:
                book(out, orders)
                done = incoming.position(incoming.assignment())
                again(lambda: out.send_offsets_to_transaction(done, incoming.consumer_group_metadata(), 5))
                again(lambda: out.commit_transaction(5))
                booked += len(orders)
                print(json.dumps({"booked": len(orders)}), flush=True)
            except KafkaException as problem:
                if not problem.args[0].txn_requires_abort():
                    raise
                print(json.dumps({"aborted": problem.args[0].name()}), flush=True)
                again(lambda: out.abort_transaction(5))
                # What was read and not booked is read again: a new life begins at the committed offsets.
                return
    finally:
        incoming.close()


def lives(life):
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.is_set():
        try:
            life()
        except KafkaException as problem:
            print(json.dumps({"restarted": problem.args[0].name()}), flush=True)
            time.sleep(0.1)


def audit(bootstrap):
    incoming = reader(bootstrap, "auditor", **{"enable.partition.eof": True})
    topics = incoming.list_topics(timeout=10).topics
    left = {(topic, number) for topic in (ORDERS, ACCOUNTS) for number in topics[topic].partitions}
    incoming.assign([TopicPartition(topic, number, 0) for topic, number in left])
    while left:
        for message in incoming.consume(500, timeout=1.0):
            if message.error() is None:
                print(message.value().decode(), flush=False)
            elif message.error().name() == "_PARTITION_EOF":
                left.discard((message.topic(), message.partition()))
    sys.stdout.flush()
    incoming.close()


if __name__ == "__main__":
    role, bootstrap, *rest = sys.argv[1:]
    numbers = itertools.count()
    if role == "order":
        lives(lambda: order_once(bootstrap, int(rest[0]), numbers))
    elif role == "tell":
        lives(lambda: tell_once(bootstrap, int(rest[0]), rest[1]))
    else:
        audit(bootstrap)
