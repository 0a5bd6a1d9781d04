"""Records in a real Kafka: each one is there, as it was written, in order; also over stops and kills."""

import itertools
import json
import random
import socket
import time
from collections import Counter

import pytest

from support.check import assert_statistics, split_lines
from support.processes import free_ports, wait_until
from support.records import Family, Story, write_three_files
from support.writer import Writer

KINDS = Story.KINDS - {"bad_time"}
numbers = itertools.count(1)


@pytest.fixture
def topic(broker):
    if not broker.is_running():
        broker.start()  # a test that failed while it was stopped harms only itself
    name = f"logs-{next(numbers)}"
    broker.create_topic(name, partitions=3)
    return name


def kafka_output(broker, topic, **more):
    return {"name": "lake", "type": "kafka", "brokers": broker.address, "topic": topic, "key": "request_id",
            "start_at": "beginning", "properties": {"reconnect.backoff.max.ms": 500}, **more}


def kafka_config(shipper, pattern, *outputs):
    return shipper.write_config([{"paths": [str(pattern)], "rotated": True}], list(outputs))


def headers(message):
    return {name: value.decode() for name, value in message.headers() or []}


def assert_order_within_sources(messages):
    """In each partition the records of a file stand in the order of the file."""
    last = {}
    for message in messages:
        head = headers(message)
        place = (message.partition(), head["file"])
        assert int(head["offset"]) > last.get(place, -1), f"{place} goes back to {head['offset']}"
        last[place] = int(head["offset"])


def test_a_consumer_reads_each_record_once_byte_for_byte_in_order_with_its_headers_and_key(
        shipper, broker, topic, tmp_path):
    forwarded = open(tmp_path / "forwarded.ndjson", "w+b")
    story = Story(50, forwarded)
    family = write_three_files(story, tmp_path / "logs", 20000)
    config = kafka_config(shipper, family.live, kafka_output(broker, topic))

    shipper.once("-c", config).expect(0)

    assert_statistics(shipper.database, story.truth)
    messages = broker.read_all(topic)
    forwarded.seek(0)
    assert Counter(m.value() for m in messages) == Counter(line.rstrip(b"\n") for line in split_lines(forwarded.read()))
    assert_order_within_sources(messages)
    contents = {}
    for message in messages:
        record, head = json.loads(message.value().decode("utf-8", "replace")), headers(message)
        assert message.key() == (record["request_id"].encode() if record.get("request_id") else None)
        assert head["content-type"] == "application/json"
        assert head["service"] == record.get("service", "")
        assert head["host"] == socket.gethostname()
        path = head["file"]
        if path.endswith(".gz"):
            continue
        data = contents.setdefault(path, open(path, "rb").read())
        start = int(head["offset"])
        assert data[start:start + len(message.value())] == message.value()
    assert len({message.partition() for message in messages}) == 3

    again = shipper.once("-c", config).expect(0)
    assert again.out == b"" and len(broker.read_all(topic)) == story.truth.forwarded


def test_a_record_carries_the_time_of_its_event(shipper, broker, topic, tmp_path):
    story = Story(51, kinds=())
    (tmp_path / "app.log").write_bytes(b"".join(story.record() for _ in range(500)))
    config = kafka_config(shipper, tmp_path / "app.log", kafka_output(broker, topic, timestamp="event"))

    shipper.once("-c", config).expect(0)

    for message in broker.read_all(topic):
        written = json.loads(message.value())["timestamp"]
        milliseconds = message.timestamp()[1]
        assert written.startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)))
        assert written[20:23] == f"{milliseconds % 1000:03d}"


def test_records_written_while_the_broker_is_away_arrive_when_it_is_back(shipper, broker, topic, tmp_path):
    forwarded = open(tmp_path / "forwarded.ndjson", "w+b")
    story = Story(52, forwarded, KINDS)
    family = Family(tmp_path / "logs")
    family.append(b"")
    config = kafka_config(shipper, family.live, kafka_output(broker, topic))

    with shipper.start("-c", config) as child:
        with Writer(story, family.live, lines_per_second=2000):
            time.sleep(1)
            broker.stop()
            time.sleep(2)
            # the statistics do not wait for the broker
            before = story.truth.totals["records"]
            wait_until(lambda: shipper.database.source_totals()["records"] >= before, what="that all is counted")
            broker.start()
            time.sleep(1)
        end = family.live.stat().st_size
        wait_until(lambda: shipper.database.positions("lake").get(str(family.live)) == end, timeout_s=60,
                   what="that all is acknowledged")
        assert child.terminate() == 0, shipper.words()

    assert_statistics(shipper.database, story.truth)
    messages = broker.read_all(topic)
    forwarded.seek(0)
    assert Counter(m.value() for m in messages) == Counter(line.rstrip(b"\n") for line in split_lines(forwarded.read()))
    assert_order_within_sources(messages)


def test_kill_9_of_shipper_loses_no_record_on_the_way_to_kafka(shipper, broker, topic, tmp_path):
    forwarded = open(tmp_path / "forwarded.ndjson", "w+b")
    story = Story(53, forwarded, KINDS)
    family = Family(tmp_path / "logs")
    config = kafka_config(shipper, family.live, kafka_output(broker, topic))
    chance = random.Random(53)

    kills = 0
    for _ in range(12):
        family.append(b"".join(story.line() for _ in range(3000)))
        if chance.random() < 0.3:
            story.begin_file()
            family.rotate()
        with shipper.start("-c", config) as child:
            time.sleep(chance.uniform(0.05, 1.2))
            kills += child.kill() == -9
    shipper.once("-c", config).expect(0)

    assert kills == 12
    assert_statistics(shipper.database, story.truth)
    forwarded.seek(0)
    wanted = Counter(line.rstrip(b"\n") for line in split_lines(forwarded.read()))
    found = Counter(message.value() for message in broker.read_all(topic))
    assert not wanted - found, f"{sum((wanted - found).values())} records lost"
    assert set(found) == set(wanted)
    print(f"{kills} kills, {sum((found - wanted).values())} records came twice, 0 lost")


def test_a_broker_that_cannot_be_reached_does_not_keep_statistics_and_stdout_waiting(shipper, tmp_path):
    story = Story(54, kinds=("hostile",))
    text = b"".join(story.record() for _ in range(1000))
    (tmp_path / "app.log").write_bytes(text)
    config = kafka_config(shipper, tmp_path / "app.log",
                          {"name": "lake", "type": "kafka", "brokers": f"127.0.0.1:{free_ports(1)[0]}", "topic": "logs",
                           "start_at": "beginning"},
                          {"name": "out", "type": "stdout", "start_at": "beginning"})

    done = shipper.once("-c", config, "--timeout", "2s", timeout_s=30)

    assert done.code == 69 and "NET_001" in done.err
    assert done.out == text
    assert_statistics(shipper.database, story.truth)


def test_a_record_too_large_for_the_broker_goes_to_the_dead_letters_and_the_rest_goes_on(shipper, broker, topic, tmp_path):
    story = Story(55, kinds=())
    lines = [story.record() for _ in range(20)]
    large = b'{"timestamp":"2025-01-01T00:00:00Z","level":"INFO","message":"' + b"L" * 1_500_000 + b'"}\n'
    (tmp_path / "app.log").write_bytes(b"".join(lines[:10]) + large + b"".join(lines[10:]))
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")], "max_line": "4MiB"}],
                                  [kafka_output(broker, topic, properties={"message.max.bytes": 4_000_000})])

    done = shipper.once("-c", config).expect(0)

    assert sorted(m.value() for m in broker.read_all(topic)) == sorted(line[:-1] for line in lines)
    assert "KAF_003" in done.err
    dead = [path for path in shipper.folder.iterdir() if b"L" * 1_500_000 in path.read_bytes()]
    assert len(dead) == 1 and dead[0].stat().st_mode & 0o777 == 0o600
