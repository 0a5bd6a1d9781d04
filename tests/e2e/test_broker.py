"""The broker the other tests stand on: it answers, it keeps what it was given over a restart."""

from confluent_kafka import Producer

from support.processes import run


def test_the_broker_keeps_order_and_content_also_over_a_restart(broker):
    broker.create_topic("proof", partitions=1)
    sent = [f"message {i}".encode() for i in range(1000)]
    producer = Producer({"bootstrap.servers": broker.address, "acks": "all", "enable.idempotence": True})
    for value in sent:
        producer.produce("proof", value)
    assert producer.flush(30) == 0

    broker.stop()
    broker.start()

    assert [message.value() for message in broker.read_all("proof")] == sent
    read = run(["kcat", "-C", "-b", broker.address, "-t", "proof", "-o", "beginning", "-e", "-q"]).expect()
    assert read.out.splitlines() == sent
