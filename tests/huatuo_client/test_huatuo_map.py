"""`huatuo map`: every item is answered once, whatever befalls it on the way."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import JSON_TEXT, TEXT, Keys, saying
from tests.huatuo_client.commands import CLIENT, LIMIT_S, begun, ended, environ, huatuo, names, records
from tests.huatuo_client.pictures import asked, greys
from tests.huatuo_client.terminal import Terminal
from tests.service.served import Served, scripted_engine, served
from tests.service.supervised import until

QUESTION = ("--question", "What is this?")


def test_a_folder_is_asked_about(tmp_path: Path) -> None:
    """An answer a line, with all that is known of it; stdout is empty, the sum is on stderr."""
    films = greys(tmp_path / "films", 5)
    with saying(TEXT) as server:
        done = huatuo(server, "map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl")

    found = sorted(records(tmp_path / "r.jsonl"), key=lambda one: str(one["id"]))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"huatuo: 5 of 5 answered.\n"
    assert names(found) == films
    assert not (tmp_path / "r.failures.jsonl").exists()
    first = found[0]
    assert (first["files"], first["question"], first["answer"]) == (["000.png"], "What is this?", TEXT)
    assert (first["finish_reason"], first["images"][0]["format"]) == ("stop", "PNG")
    assert first.keys() >= {"model", "system_fingerprint", "request_id", "usage", "key"}


def test_two_hundred_files_killed_twice_are_each_answered_once(tmp_path: Path) -> None:
    """Nothing that was answered is lost, nothing that was put down is asked again, and nothing stands there twice."""
    films, out, at_once = greys(tmp_path / "films", 200), tmp_path / "r.jsonl", 8
    command = ("map", tmp_path / "films", *QUESTION, "--out", out, "--concurrency", str(at_once))
    with served(scripted_engine(Completion(text=TEXT, delay_s=0.005))) as server:
        asked_at_kill, put_down = [], []
        for enough in (50, 120):
            process = begun(server, *command)
            until(partial(has, out, enough))
            process.kill()
            ended(process)
            put_down.append(set(names(records(out))))
            until(lambda: server.metric("hgv_requests_in_flight") == 0)
            asked_at_kill.append(asked(server.engine))
        done = huatuo(server, *command, "--json")
        at_end = asked(server.engine)

    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert (told["items"], told["answered"], told["failed"], told["left"]) == (200, 200, 0, 0)
    assert told["answered_before"] == len(put_down[1])
    assert sorted(names(records(out))) == films
    assert put_down[0] < put_down[1] < set(films)
    assert all(
        at_end[name] == before[name] for before, down in zip(asked_at_kill, put_down, strict=True) for name in down
    )
    assert at_end.total() <= 200 + 2 * at_once


def has(out: Path, enough: int) -> bool:
    """Whether so many answers are put down."""
    return len(records(out)) >= enough


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_is_in_flight(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """And puts it down: what the engine was asked is what the file holds. The same command goes on."""
    films, out = greys(tmp_path / "films", 60), tmp_path / "r.jsonl"
    command = ("map", tmp_path / "films", *QUESTION, "--out", out)
    with served(scripted_engine(Completion(text=TEXT, delay_s=0.01))) as server:
        process = begun(server, *command)
        until(lambda: len(records(out)) >= 5)
        process.send_signal(number)
        ended_with, _, err = ended(process)
        asked_then = asked(server.engine)
        put_down = names(records(out))
        done = huatuo(server, *command)
        at_end = asked(server.engine)

    assert ended_with == code
    assert "finishing what is in flight" in err
    assert 5 <= len(put_down) < 60
    assert asked_then == dict.fromkeys(put_down, 1)
    assert done.returncode == 0
    assert at_end == dict.fromkeys(films, 1)


def test_a_second_signal_gives_up(tmp_path: Path) -> None:
    """What hangs is left; the server's work on it ends, and what was answered stays."""
    greys(tmp_path / "films", 9)
    script = (Completion(text=TEXT), Completion(text=TEXT), Completion(text=TEXT, hang_after=2))
    with served(scripted_engine(*script)) as server:
        process = begun(
            server, "map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl", "--concurrency", "1"
        )
        until(lambda: len(records(tmp_path / "r.jsonl")) == 2 and asked(server.engine).total() == 3)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"finishing" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
        assert server.engine.aborts.get(timeout=LIMIT_S)

    assert code == 130
    assert "Traceback" not in err
    assert len(records(tmp_path / "r.jsonl")) == 2


def test_what_failed_stands_in_a_file_of_its_own_until_it_is_answered(tmp_path: Path) -> None:
    """Exit 4; the next run asks it again, and only it."""
    films = greys(tmp_path / "films", 4)
    whole = (tmp_path / "films" / "002.png").read_bytes()
    (tmp_path / "films" / "002.png").write_bytes(whole[:40])
    command = ("map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl")
    with saying(TEXT) as server:
        once, twice = huatuo(server, *command), huatuo(server, *command)
        failed = records(tmp_path / "r.failures.jsonl")
        (tmp_path / "films" / "002.png").write_bytes(whole)
        done = huatuo(server, *command)
        counts = asked(server.engine)

    assert (once.returncode, twice.returncode, done.returncode) == (4, 4, 0)
    assert b"1 failed, see" in once.stderr
    assert names(failed) == ["002.png"]
    assert failed[0]["error"]["code"] == "invalid_image"
    assert sorted(names(records(tmp_path / "r.jsonl"))) == films
    assert not (tmp_path / "r.failures.jsonl").exists()
    assert counts == dict.fromkeys(films, 1)


def test_a_closed_question_is_put_down_in_numbers(tmp_path: Path) -> None:
    """The best answer, and how probable each is."""
    greys(tmp_path / "films", 3)
    with saying(TEXT) as server:
        done = huatuo(
            server, "map", tmp_path / "films", *QUESTION, "--choices", "yes", "no", "--out", tmp_path / "r.jsonl"
        )

    assert done.returncode == 0
    for one in records(tmp_path / "r.jsonl"):
        assert one["answer"] in ("yes", "no")
        assert sum(choice["probability"] for choice in one["choices"]) == pytest.approx(1)


def test_a_folder_of_dicom_files_is_seen_through_one_window(tmp_path: Path) -> None:
    """Each line tells what was done to its image; a file that the window is not for is a failure of its own."""
    (tmp_path / "films").mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        shutil.copy(str(get_testdata_file(name)), tmp_path / "films" / name)
    with saying(TEXT) as server:
        done = huatuo(server, "map", tmp_path / "films", *QUESTION, "--preset", "lung", "--out", tmp_path / "r.jsonl")

    (seen,) = records(tmp_path / "r.jsonl")
    assert done.returncode == 4
    assert (seen["id"], seen["images"][0]["modality"]) == ("CT_small.dcm", "CT")
    assert seen["images"][0]["window"] == {"center": -600.0, "width": 1500.0, "source": "preset"}
    assert names(records(tmp_path / "r.failures.jsonl")) == ["MR_small.dcm"]


def test_an_answer_by_a_schema_is_put_down_as_a_value(tmp_path: Path) -> None:
    """One that was cut is a failure, with what came of it."""
    greys(tmp_path / "films", 2)
    schema = ("--json-schema", '{"type": "object"}')
    with saying(JSON_TEXT) as server:
        whole = huatuo(server, "map", tmp_path / "films", *QUESTION, *schema, "--out", tmp_path / "r.jsonl")
        cut = huatuo(
            server, "map", tmp_path / "films", *QUESTION, *schema, "--max-tokens", "4", "--out", tmp_path / "c.jsonl"
        )

    assert (whole.returncode, cut.returncode) == (0, 4)
    assert [one["value"]["modality"] for one in records(tmp_path / "r.jsonl")] == ["x-ray"] * 2
    assert records(tmp_path / "c.jsonl") == []
    failed = records(tmp_path / "c.failures.jsonl")
    assert [one["error"]["code"] for one in failed] == ["answer_cut"] * 2
    assert JSON_TEXT.startswith(failed[0]["answer"])


def test_rows_of_a_csv_have_their_own_questions(tmp_path: Path) -> None:
    """Two about one image are two; the same one twice is asked once, and said."""
    greys(tmp_path / "films", 2)
    rows = "image,question\nfilms/000.png,What?\nfilms/000.png,Where?\nfilms/001.png,\nfilms/000.png,What?\n"
    (tmp_path / "q.csv").write_text(rows)
    with saying(TEXT) as server:
        done = huatuo(server, "map", tmp_path / "q.csv", *QUESTION, "--out", tmp_path / "r.jsonl")

    found = {(one["files"][0], one["question"]) for one in records(tmp_path / "r.jsonl")}
    assert found == {("films/000.png", "What?"), ("films/000.png", "Where?"), ("films/001.png", "What is this?")}
    assert len(records(tmp_path / "r.jsonl")) == 3
    assert b"asked once" in done.stderr


def test_another_question_needs_another_file(tmp_path: Path) -> None:
    """Answers to two questions are never mixed: exit 2, and nothing is asked."""
    greys(tmp_path / "films", 2)
    out = ("--out", tmp_path / "r.jsonl")
    with saying(TEXT) as server:
        huatuo(server, "map", tmp_path / "films", *QUESTION, *out)
        before = (tmp_path / "r.jsonl").read_bytes()
        other = huatuo(server, "map", tmp_path / "films", "--question", "Where is this?", *out)
        seed = huatuo(server, "map", tmp_path / "films", *QUESTION, "--seed", "1", *out)
        counts = asked(server.engine)

    assert (other.returncode, seed.returncode) == (2, 2)
    assert b"another question" in other.stderr
    assert (tmp_path / "r.jsonl").read_bytes() == before
    assert counts.total() == 2


def test_files_may_be_added(tmp_path: Path) -> None:
    """To the folder, between runs."""
    greys(tmp_path / "films", 2)
    command = ("map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl")
    with saying(TEXT) as server:
        huatuo(server, *command)
        (tmp_path / "films" / "more.png").write_bytes((tmp_path / "films" / "001.png").read_bytes())
        done = huatuo(server, *command)

    assert (done.returncode, done.stderr) == (0, b"huatuo: 3 of 3 answered, 2 of them before.\n")


def test_a_file_of_somebody_else_is_not_written_to(tmp_path: Path) -> None:
    """Named by mistake as --out."""
    greys(tmp_path / "films", 1)
    (tmp_path / "table.csv").write_text("file,label\n")
    with saying(TEXT) as server:
        done = huatuo(server, "map", tmp_path / "films", *QUESTION, "--out", tmp_path / "table.csv")

    assert done.returncode == 2
    assert (tmp_path / "table.csv").read_text() == "file,label\n"


@pytest.mark.parametrize("content", ['{"label": "fracture"}', '{"label": "fra', '{"label": "fracture"}\n'])
@pytest.mark.parametrize("name", ["r.jsonl", "r.failures.jsonl"])
def test_json_of_somebody_else_is_not_written_to(tmp_path: Path, name: str, content: str) -> None:
    """It is neither cut nor appended to, nor is anything asked: exit 2."""
    greys(tmp_path / "films", 1)
    (tmp_path / name).write_text(content)
    with saying(TEXT) as server:
        done = huatuo(server, "map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl")
        counts = asked(server.engine)

    assert (done.returncode, counts.total()) == (2, 0)
    assert (tmp_path / name).read_text() == content


def test_a_source_is_not_its_own_result(tmp_path: Path) -> None:
    """Named twice by mistake: exit 2, and it is as it was."""
    (tmp_path / "q.failures.jsonl").write_text('{"image": "a.png", "key": "1"}')
    for out in ("q.failures.jsonl", "q.jsonl"):
        done = huatuo(None, "map", tmp_path / "q.failures.jsonl", *QUESTION, "--out", tmp_path / out)
        assert done.returncode == 2
        assert b"what is asked about" in done.stderr

    assert (tmp_path / "q.failures.jsonl").read_text() == '{"image": "a.png", "key": "1"}'


def test_a_row_that_cannot_be_asked_is_a_failure_of_its_own(tmp_path: Path) -> None:
    """A path that no file can have, a question that no UTF-8 holds: the others are answered."""
    greys(tmp_path / "films", 2)
    rows = [
        {"image": "films/000.png"},
        {"image": "films/\0.png"},
        {"image": "films/\ud800.png"},
        {"image": "films/001.png", "question": "What is \ud800?"},
        {"image": "films/001.png"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    command = ("map", tmp_path / "q.jsonl", *QUESTION, "--out", tmp_path / "r.jsonl")
    with saying(TEXT) as server:
        once, twice = huatuo(server, *command), huatuo(server, *command)

    assert (once.returncode, twice.returncode) == (4, 4)
    assert sorted(one["files"][0] for one in records(tmp_path / "r.jsonl")) == ["films/000.png", "films/001.png"]
    failed = {
        (one["files"][0], one["question"]): one["error"]["code"] for one in records(tmp_path / "r.failures.jsonl")
    }
    assert failed == {
        ("films/\0.png", "What is this?"): "unreadable_image",
        ("films/\ud800.png", "What is this?"): "unreadable_image",
        ("films/001.png", "What is \ud800?"): "error",
    }


def test_answers_that_were_cut_are_counted(tmp_path: Path) -> None:
    """At the end of each run, those of earlier runs too."""
    greys(tmp_path / "films", 2)
    command = ("map", tmp_path / "films", *QUESTION, "--max-tokens", "2", "--out", tmp_path / "r.jsonl", "--json")
    with saying(TEXT) as server:
        once, twice = huatuo(server, *command), huatuo(server, *command)

    for done in (once, twice):
        assert json.loads(done.stdout)["cut"] == 2
        assert b"2 of them cut" in done.stderr


def test_a_refused_key_ends_the_run(tmp_path: Path) -> None:
    """It would fail everything: exit 1, and no failure is put down."""
    greys(tmp_path / "films", 20)
    keys = Keys(tmp_path)
    keys.add()
    with served(keys_file=keys.path) as server:
        done = huatuo(
            server, "map", tmp_path / "films", *QUESTION, "--model", "huatuo-test", "--out", tmp_path / "r.jsonl"
        )

    assert done.returncode == 1
    assert b"The same command goes on from here" in done.stderr
    assert not (tmp_path / "r.failures.jsonl").exists()


def test_a_busy_server_is_waited_for(tmp_path: Path) -> None:
    """Over a key that may ask one thing at a time, all are answered, and nothing fails."""
    films = greys(tmp_path / "films", 4)
    keys = Keys(tmp_path)
    secret = keys.add(max_concurrent=1)
    with served(scripted_engine(Completion(text=TEXT, delay_s=0.02)), keys_file=keys.path) as server:
        done = huatuo(
            server, "map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl", more={"HUATUO_API_KEY": secret}
        )
        refused = server.outcomes()["rate_limit_exceeded"]

    assert done.returncode == 0
    assert sorted(names(records(tmp_path / "r.jsonl"))) == films
    assert refused > 0


def test_a_terminal_sees_a_bar_with_rate_and_time_left(tmp_path: Path) -> None:
    """On stderr; where that is no terminal there is none."""
    greys(tmp_path / "films", 12)
    command = ("map", tmp_path / "films", *QUESTION, "--out", tmp_path / "r.jsonl")
    with served(scripted_engine(Completion(text=TEXT, delay_s=0.02))) as server, Terminal() as terminal:
        process = begun(server, *command, stderr=terminal.theirs)
        terminal.until(b"12 of 12 answered.")
        code, out, _ = ended(process)

    assert (code, out) == (0, "")
    assert b"12/12" in terminal.seen
    assert re.search(rb"\d+:\d\d<\d+:\d\d, +[\d.]+(q/s|s/q)", terminal.seen)


@pytest.mark.parametrize("way", ["library", "command"])
def test_the_worked_examples_make_a_table(tmp_path: Path, way: str) -> None:
    """A row a DICOM file: its answer, how probable it is, what was seen, what went wrong. No cell is a formula."""
    (tmp_path / "films").mkdir()
    films = {"CT_small.dcm": "CT", "MR_small.dcm": "MR"}
    for name in films:
        shutil.copy(str(get_testdata_file(name)), tmp_path / "films" / name)
    (tmp_path / "films" / "broken.dcm").write_bytes((tmp_path / "films" / "CT_small.dcm").read_bytes()[:400])
    question = ("=HYPERLINK(1)", "+yes", "@no")
    with saying(TEXT) as server:
        if way == "library":
            found = example(server, "folder_to_table.py", str(tmp_path / "films"), *question)
        else:
            options = ("--question", question[0], "--choices", *question[1:], "--out", tmp_path / "r.jsonl")
            huatuo(server, "map", tmp_path / "films", *options)
            found = example(server, "results_to_table.py", str(tmp_path / "r.jsonl"))

    rows = {row.get("file") or row["id"]: row for row in found if row["answer"]}
    assert {name: row["modality"] for name, row in rows.items()} == films
    assert all(row["answer"] in ("'+yes", "'@no") and float(row["probability"]) >= 0.5 for row in rows.values())
    if way == "library":
        assert [row["file"] for row in found if row["error"]] == ["broken.dcm"]
        assert all(float(row["downscaling"]) > 0 and "/" in row["window"] for row in rows.values())
    else:
        assert [row["question"] for row in found] == ["'=HYPERLINK(1)"] * 2


def example(server: Served, name: str, *arguments: str) -> list[dict[str, str]]:
    """The table that it prints."""
    done = subprocess.run(
        [sys.executable, str(CLIENT / "examples" / name), *arguments],
        capture_output=True,
        text=True,
        env=environ(server),
        timeout=LIMIT_S,
        check=True,
    )
    return list(csv.DictReader(io.StringIO(done.stdout)))
