"""A real Apache Kafka broker: one node in KRaft mode, on loopback, its data in a folder of the test's."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from support.processes import Child, free_ports, run, wait_until

VERSION = "3.9.1"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


def jars_folder():
    """Where scripts/test.sh puts the broker's jars."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "liblog" / f"kafka-{VERSION}"
    assert list(folder.glob("kafka_2.13-*.jar")), (
        f"no Kafka in {folder}: run scripts/test.sh, or "
        f"mvn -f tests/support/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory={folder}")
    return folder


class Broker:
    """`with Broker(folder) as broker:` gives a broker that answers; stop() and start() keep its data and its port."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, controller_port = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self.config = self.folder / "server.properties"
        self.config.write_text(PROPERTIES.format(port=self.port, controller_port=controller_port,
                                                 data=self.folder / "data"))
        self.classpath = f"{jars_folder()}/*"
        self.child = None
        self._log4j = self.folder / "log4j.properties"
        self._log4j.write_text("log4j.rootLogger=WARN, out\n"
                               "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
                               "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
                               "log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
        self._format()

    def _java(self, *arguments):
        return ["java", "-Xmx512m", f"-Dlog4j.configuration=file:{self._log4j}", "-cp", self.classpath, *arguments]

    def _format(self):
        cluster = run(self._java("kafka.tools.StorageTool", "random-uuid")).expect().out.decode().strip().splitlines()[-1]
        run(self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self.config)).expect()

    def start(self):
        with open(self.folder / "broker.log", "ab") as log:
            self.child = Child(self._java("kafka.Kafka", self.config), stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.answers, timeout_s=60, what="the broker's answer", every_s=0.2)
        return self

    def answers(self):
        assert self.child.is_running(), f"the broker ended:\n{(self.folder / 'broker.log').read_text()[-4000:]}"
        return run(["kcat", "-L", "-b", self.address, "-m", "2"], timeout_s=20).code == 0

    def stop(self):
        """A clean stop, as an operator would make it."""
        self.child.terminate(timeout_s=60)

    def kill(self):
        self.child.kill()

    def is_running(self):
        return self.child is not None and self.child.is_running()

    def create_topic(self, name, partitions=1):
        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)]).values():
            future.result(30)

    def read_all(self, topic, timeout_s=60):
        """All messages from the beginning up to the end that each partition has now, in each partition's order."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "reader", "enable.auto.commit": False,
                             "isolation.level": "read_committed", "auto.offset.reset": "earliest",
                             "enable.partition.eof": False})
        try:
            partitions = consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=timeout_s)[1] for p in partitions}
            consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
            messages, open_ends = [], {p: end for p, end in ends.items() if end > 0}
            deadline = time.monotonic() + timeout_s
            while open_ends:
                assert time.monotonic() < deadline, f"not all came within {timeout_s} s; still to come: {open_ends}"
                for message in consumer.consume(2000, timeout=0.2):
                    assert message.error() is None, message.error()
                    messages.append(message)
                    if message.offset() + 1 >= open_ends.get(message.partition(), 0):
                        open_ends.pop(message.partition(), None)
            return messages
        finally:
            consumer.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.is_running():
            self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
