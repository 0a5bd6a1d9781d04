"""`shipper positions` says where each output stands, how far it lags, and moves one when nobody runs; the state folder is held by
one shipper at a time."""

import gzip
import json
import os
import select
import socket
import stat
import time
from datetime import datetime, timedelta, timezone

import pytest

from support.check import assert_statistics
from support.processes import wait_until
from support.records import Story


def config_for(shipper, log, **more):
    return shipper.write_config([{"paths": [str(log)]}], [{"name": "out", "type": "stdout", "start_at": "beginning"}], **more)


def positions(shipper, config, *more):
    return json.loads(shipper.run("positions", "-c", config, "--format", "json", *more).expect(0).out)


def record_of(age_s):
    stamp = (datetime.now(timezone.utc) - timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return b'{"timestamp":"%s","level":"INFO","service":"s"}\n' % stamp.encode()


def test_positions_in_the_database_are_ends_of_lines_and_the_lag_is_what_was_written_since(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(Story(110, kinds=()).record())
    read = log.stat().st_size
    config = config_for(shipper, log)
    shipper.once("-c", config).expect(0)

    rows = positions(shipper, config)
    assert [(row["output"], row["offset"], row["size"], row["lag_bytes"], row["lag_s"]) for row in rows] == [
        ("stats", read, read, 0, 0), ("out", read, read, 0, 0)]

    unread = record_of(1000) + record_of(10)
    with open(log, "ab") as file:
        file.write(unread)
    for row in positions(shipper, config):
        assert (row["path"], row["offset"], row["size"]) == (str(log), read, read + len(unread))
        assert row["lag_bytes"] == len(unread)
        assert 1000 <= row["lag_s"] < 1060  # the age of the first record that is not read
    table = shipper.run("positions", "-c", config).expect(0).out.decode()
    assert str(log) in table and f"{2 * len(unread):,} bytes behind in all" in table


def test_a_running_shipper_tells_its_own_positions_and_a_slow_output_its_lag(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b"".join(record_of(500) for _ in range(50_000)))  # more than a pipe holds
    config = config_for(shipper, log)
    ends = os.pipe()
    with os.fdopen(ends[0], "rb") as reader:
        with os.fdopen(ends[1], "wb") as writer, shipper.start("-c", config, stdout=writer) as child:
            writer.close()
            wait_until(lambda: (shipper.folder / "control").exists(), what="the socket")
            size = log.stat().st_size

            def rows():
                return {row["output"]: row for row in positions(shipper, config)}

            wait_until(lambda: rows().get("stats", {}).get("offset") == size, what="the statistics at the end")
            slow = rows()["out"]
            assert 0 < slow["lag_bytes"] == size - slow["offset"]
            assert 500 <= slow["lag_s"] < 620
            log.unlink()
            assert 500 <= rows()["out"]["lag_s"] < 620  # it is read on through the open descriptor
            taken = 0
            while taken < size:
                taken += len(reader.read1(1 << 20))
            wait_until(lambda: rows().get("out", {"lag_bytes": 0})["lag_bytes"] == 0, what="the output at the end")
            assert child.terminate() == 0, shipper.words()
    assert not (shipper.folder / "control").exists()


def test_files_that_everybody_has_read_to_their_end_are_left_out_unless_asked_for(shipper, tmp_path):
    story = Story(111, kinds=())
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(story.record()))
    (tmp_path / "app.log").write_bytes(story.record())
    config = config_for(shipper, tmp_path / "app.log")
    shipper.once("-c", config).expect(0)
    shown = {row["path"] for row in positions(shipper, config)}
    everything = {row["path"]: row for row in positions(shipper, config, "--all")}
    assert shown == {str(tmp_path / "app.log")}
    older = everything[str(tmp_path / "app.log.1.gz")]
    assert older["compressed"] and older["finished"] and older["lag_bytes"] == 0


def test_reset_lets_an_output_forward_all_files_again_and_counts_nothing_twice(shipper, tmp_path):
    story = Story(112, kinds=())
    first, second = story.record(), story.record()
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(first))
    (tmp_path / "app.log").write_bytes(second)
    config = config_for(shipper, tmp_path / "app.log")
    assert shipper.once("-c", config).expect(0).out == first + second
    assert shipper.once("-c", config).expect(0).out == b""

    shipper.run("positions", "reset", "out", "-c", config).expect(0)
    assert shipper.once("-c", config).expect(0).out == first + second
    assert_statistics(shipper.database, story.truth)
    details = shipper.database.query("SELECT details FROM audit_log WHERE operation = 'RESET'")
    assert [json.loads(row[0]) for row in details] == [{"output": "out", "path": "*", "to": "beginning"}]


def test_reset_to_the_statistics_leaves_out_what_was_not_forwarded(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(record_of(5))
    config = config_for(shipper, log)
    shipper.once("-c", config).expect(0)
    shipper.run("positions", "reset", "out", "-c", config).expect(0)
    shipper.run("positions", "reset", "out", "--to", "statistics", "-c", config).expect(0)
    with open(log, "ab") as file:
        file.write(b'{"level":"ERROR","service":"later"}\n')
    assert shipper.once("-c", config).expect(0).out == b'{"level":"ERROR","service":"later"}\n'


@pytest.mark.parametrize("arguments, words", [(("reset", "stats"), "VAL_001"), (("reset", "nobody"), "VAL_001"),
                                              (("reset",), "USE_001"), (("set", "out"), "USE_001")])
def test_a_reset_that_cannot_be_is_refused_and_nothing_moves(shipper, tmp_path, arguments, words):
    log = tmp_path / "app.log"
    log.write_bytes(record_of(5))
    config = config_for(shipper, log)
    shipper.once("-c", config).expect(0)
    before = positions(shipper, config)
    done = shipper.run("positions", *arguments, "-c", config)
    assert done.code == 64 and words in done.err
    assert positions(shipper, config) == before


def test_reset_needs_the_state_folder_for_itself_and_is_told_who_has_it(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(record_of(5))
    config = config_for(shipper, log)
    with shipper.start("-c", config) as child:
        wait_until(lambda: (shipper.folder / "control").exists(), what="the socket")
        done = shipper.run("positions", "reset", "out", "-c", config)
        assert done.code == 75 and "DB_005" in done.err and str(child.pid) in done.err
        assert child.terminate() == 0


def test_positions_without_a_database_are_no_input(shipper):
    done = shipper.run("positions")
    assert done.code == 66 and "DB_006" in done.err
    done = shipper.run("positions", "reset", "out")
    assert done.code == 66 and not shipper.database.path.exists()


def ask(path, request):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        peer.sendall(request)
        return peer.makefile("rb").read()


def test_the_socket_is_the_users_own_and_noise_on_it_harms_nobody(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(record_of(5))
    config = config_for(shipper, log)
    path = shipper.folder / "control"
    with shipper.start("-c", config) as child:
        wait_until(path.exists, what="the socket")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ask(path, b"ping\n") == b"ok\npid %d\n" % child.pid
        for noise in (b"\xff\x00 \x01\n", b"positions xml\n", b"\n", b"GET / HTTP/1.1\r\n"):
            assert ask(path, noise).startswith(b"error USE_001 ")
        silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for peer in silent:
            peer.connect(str(path))
        with open(log, "ab") as file:
            file.write(record_of(1) * 100)
        wait_until(lambda: shipper.database.path.exists() and shipper.database.source_totals()["records"] == 101,
                   what="the records")
        for peer in silent:
            peer.close()
        status = json.loads(wait_until(lambda: ask_or_none(path, b"status\n"), what="an answer").removeprefix(b"ok\n"))
        assert status["pid"] == child.pid and status["records"] == 101
        assert {output["name"]: output["lag_bytes"] for output in status["outputs"]} == {"stats": 0, "out": 0}
        assert child.terminate() == 0, shipper.words()


def ask_or_none(path, request):
    """While the places are taken by others the answer is a closed connection."""
    try:
        return ask(path, request)
    except (ConnectionResetError, BrokenPipeError):
        time.sleep(0.1)
        return None


def test_a_state_folder_that_is_not_there_is_made_for_its_owner_only(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(record_of(5))
    folder = tmp_path / "var" / "lib" / "shipper"
    config = shipper.folder / "made.yaml"
    config.write_text(json.dumps({"state_dir": str(folder), "inputs": [{"paths": [str(tmp_path / "app.log")]}]}))
    shipper.run("check", "-c", config).expect(0)
    assert not folder.parent.parent.exists()
    shipper.once("-c", config).expect(0)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o027 == 0
    assert (folder / "shipper.db").exists()


def test_a_state_folder_that_cannot_be_made_is_told_by_name(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(record_of(5))
    (tmp_path / "file").write_text("")
    config = shipper.folder / "made.yaml"
    config.write_text(json.dumps({"state_dir": str(tmp_path / "file" / "state"), "inputs": [{"paths": ["/tmp/none.log"]}]}))
    done = shipper.once("-c", config)
    assert done.code in (73, 74) and "file/state" in done.err


def test_a_state_folder_that_others_may_write_is_refused(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(record_of(5))
    shipper.folder.chmod(0o777)
    done = shipper.once(tmp_path / "app.log")
    assert done.code == 77 and "DB_004" in done.err
    assert not shipper.database.path.exists()


def test_a_file_that_only_the_statistics_have_read_is_kept_for_a_slow_output(shipper, tmp_path):
    older, log = tmp_path / "app.log.1.gz", tmp_path / "app.log"
    records = b"".join(record_of(500) for _ in range(50_000))  # more than a pipe holds
    older.write_bytes(gzip.compress(records, 1))
    log.write_bytes(record_of(400))
    config = config_for(shipper, log)
    ends = os.pipe()
    with os.fdopen(ends[0], "rb") as reader:
        with os.fdopen(ends[1], "wb") as writer, shipper.start("-c", config, stdout=writer) as child:
            writer.close()
            wait_until(lambda: shipper.database.path.exists() and shipper.database.source_totals()["records"] == 50_001,
                       what="all records counted")
            time.sleep(1.5)  # time enough to let go of what the statistics are through with
            got = b""
            while len(got) < len(records) + log.stat().st_size:
                assert select.select([reader], [], [], 20)[0], f"nothing comes behind {len(got)} bytes"
                piece = os.read(reader.fileno(), 1 << 20)
                assert piece, f"shipper ended behind {len(got)} bytes: {shipper.words()}"
                got += piece
            came_as_written = got == records + log.read_bytes()  # megabytes: to show a difference takes hours
            assert came_as_written
            assert child.terminate() == 0, shipper.words()
