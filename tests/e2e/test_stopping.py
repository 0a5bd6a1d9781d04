"""SIGTERM ends shipper within a few seconds, with positions that are exact: the next run goes on with the next byte."""

import signal
import time

from support.check import assert_statistics, split_lines
from support.processes import wait_until
from support.records import Family, Story, write_three_files
from support.writer import Writer

SECONDS_TO_STOP = 5


def test_sigterm_in_the_middle_of_a_backlog_ends_in_seconds_and_the_next_run_goes_on_exactly_there(shipper, tmp_path):
    forwarded = open(tmp_path / "forwarded.ndjson", "w+b")
    story = Story(40, forwarded)
    family = write_three_files(story, tmp_path / "logs", 60000)
    output = tmp_path / "stdout.ndjson"
    stops = 0
    for delay_s in (0.02, 0.05, 0.1, 0.2, 0.3):
        with open(output, "ab") as out, shipper.start(family.pattern(), stdout=out) as child:
            time.sleep(delay_s)
            started = time.monotonic()
            code = child.terminate(30)
            assert time.monotonic() - started < SECONDS_TO_STOP
            assert code in (0, -signal.SIGTERM), shipper.words()  # before main has set its handlers
            stops += code == 0
    output_so_far = output.read_bytes()
    rest = shipper.once(family.pattern()).expect(0)

    assert stops > 0
    assert_statistics(shipper.database, story.truth)
    forwarded.seek(0)
    assert output_so_far + rest.out == forwarded.read()


def test_sigterm_while_a_program_logs_ends_in_seconds_and_forwards_each_record_once_over_all_runs(shipper, tmp_path):
    forwarded = open(tmp_path / "forwarded.ndjson", "w+b")
    story = Story(41, forwarded)
    family = Family(tmp_path / "logs")
    family.append(b"")
    output = tmp_path / "stdout.ndjson"
    with Writer(story, family.live):
        for _ in range(3):
            with open(output, "ab") as out, shipper.start(family.pattern(), stdout=out) as child:
                size = output.stat().st_size
                wait_until(lambda: output.stat().st_size > size, what="output", timeout_s=10)
                started = time.monotonic()
                assert child.terminate(30) == 0, shipper.words()
                assert time.monotonic() - started < SECONDS_TO_STOP
    rest = shipper.once(family.pattern()).expect(0)

    assert_statistics(shipper.database, story.truth)
    forwarded.seek(0)
    assert split_lines(output.read_bytes() + rest.out) == split_lines(forwarded.read())


def test_shipper_that_waits_for_records_ends_at_once_on_sigint_too(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(Story(42, kinds=()).record())
    with shipper.start(tmp_path / "app.log") as child:
        wait_until(lambda: shipper.database.path.exists(), what="the database")
        time.sleep(0.3)
        child.process.send_signal(signal.SIGINT)
        assert child.wait(SECONDS_TO_STOP) == 0, shipper.words()


def test_a_second_shipper_on_the_same_state_is_refused_and_told_who_holds_it(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(Story(43, kinds=()).record())
    with shipper.start(tmp_path / "app.log") as child:
        wait_until(lambda: shipper.database.path.exists(), what="the database")
        time.sleep(0.3)
        second = shipper.once(tmp_path / "app.log")
        assert second.code == 75
        assert "DB_005" in second.err and str(child.pid) in second.err
        assert child.terminate() == 0
