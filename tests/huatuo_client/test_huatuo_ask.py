"""`huatuo ask`, `render`, `models` and `health`: answers on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import JSON_TEXT, TEXT, Keys, saying
from tests.huatuo_client.commands import begun, ended, huatuo
from tests.huatuo_client.pictures import grey_png
from tests.huatuo_client.terminal import Terminal
from tests.service.served import MODEL, Served, scripted_engine, served

DEMO = "A toy model that knows nothing."

STEERING = "No\t骨折.\n\x1b[1A\x7f\x9b2K\u202erutcarf\u2066 end"
SHOWN = "No\t骨折.\n\\x1b[1A\\x7f\\x9b2K\\u202erutcarf\\u2066 end\n".encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Whatever it is asked, it says TEXT."""
    with saying(TEXT) as running:
        yield running


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A picture."""
    (tmp_path / "film.png").write_bytes(grey_png(9))
    return tmp_path / "film.png"


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A DICOM file."""
    return Path(shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "ct.dcm"))


def test_the_answer_is_all_of_stdout(server: Served, tmp_path: Path) -> None:
    """One line; what a person should know of the image is on stderr, a line a warning, with the image's name."""
    film = tmp_path / "flat.png"
    Image.new("I;16", (8, 8), 9).save(film)

    done = huatuo(server, "ask", film, "What is this?")
    num_images = len(server.engine.generations[-1].prompt.images)
    (seen,) = json.loads(huatuo(server, "ask", film, "What is this?", "--json").stdout)["images"]

    assert (done.returncode, done.stdout.decode(), num_images) == (0, f"{TEXT}\n", 1)
    assert seen["warnings"]
    assert done.stderr.decode().splitlines() == [f"huatuo: {film}: {warning}" for warning in seen["warnings"]]


def test_what_would_steer_a_terminal_is_shown_on_one() -> None:
    """Colours, a cursor that moves, words turned around: an answer can hide nothing so. Lines and tabs stay."""
    with saying(STEERING) as server, Terminal() as terminal:
        ended(begun(server, "ask", "What?", stdout=terminal.theirs))
        terminal.until(b" end\r\n")

    assert terminal.seen.replace(b"\r\n", b"\n") == SHOWN


def test_a_files_name_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """On stderr; in a pipe it is as it is."""
    name = tmp_path / "\x1b[2Jfilm\u202egnp.exe"
    with Terminal() as terminal:
        ended(begun("http://127.0.0.1:1", "ask", f"{name}", "What?", stderr=terminal.theirs))
        terminal.until(b"no such file")
    piped = huatuo(None, "ask", name, "What?")

    assert b"\\x1b[2Jfilm\\u202egnp.exe: there is no such file" in terminal.seen
    assert "\x1b[2Jfilm\u202egnp.exe".encode() in piped.stderr


def test_json_holds_nothing_that_would_steer_a_terminal() -> None:
    """In a pipe too, and means the same; an answer in words goes through a pipe as it is."""
    with saying(STEERING) as server:
        whole = huatuo(server, "ask", "What?", "--json")
        plain = huatuo(server, "ask", "What?")

    assert json.loads(whole.stdout)["answer"] == STEERING
    assert not {chr(number) for number in (0x1B, 0x7F, 0x9B, 0x202E, 0x2066)} & set(whole.stdout.decode())
    assert plain.stdout.decode() == f"{STEERING}\n"


def test_flags_may_stand_anywhere(server: Served, ct: Path) -> None:
    """Between the files and the question too; a view reaches the image."""
    done = huatuo(server, "ask", ct, "--preset", "lung", "What is seen?", "--json", "--region", "0", "0", "64", "64")

    told = json.loads(done.stdout)
    assert (done.returncode, told["answer"], told["model"]) == (0, TEXT, MODEL)
    (image,) = told["images"]
    assert (image["modality"], image["region"]) == ("CT", [0, 0, 64, 64])
    assert image["window"] == {"center": -600.0, "width": 1500.0, "source": "preset"}


def test_a_window_may_be_negative(server: Served, ct: Path) -> None:
    """-600 is a number, no flag."""
    done = huatuo(server, "ask", ct, "What is seen?", "--window", "-600", "1500.5", "--json")

    assert json.loads(done.stdout)["images"][0]["window"]["center"] == -600.0


def test_a_folder_is_its_images(server: Served, ct: Path, film: Path) -> None:
    """DICOM and pictures, in order."""
    done = huatuo(server, "ask", ct.parent, "What is seen?", "--json")

    assert [one["format"] for one in json.loads(done.stdout)["images"]] == ["DICOM", "PNG"]


def test_an_image_may_come_through_a_pipe(server: Served) -> None:
    """As `-`."""
    done = huatuo(server, "ask", "-", "What is this?", "--json", stdin=grey_png(3))

    assert len(json.loads(done.stdout)["images"]) == 1


def test_a_question_needs_no_image(server: Served) -> None:
    """One word is the question."""
    assert huatuo(server, "ask", "What is a fracture?").stdout.decode() == f"{TEXT}\n"


def test_a_closed_question_is_a_table(server: Served, film: Path) -> None:
    """A probability and an answer a line, the most probable first; what they are not is on stderr."""
    done = huatuo(server, "ask", film, "Is it?", "--choices", "yes", "no", "cannot tell")

    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    probabilities = [float(probability) for probability, _ in rows]
    assert {text for _, text in rows} == {"yes", "no", "cannot tell"}
    assert probabilities == sorted(probabilities, reverse=True)
    assert b"not calibrated" in done.stderr


def test_an_answer_by_a_schema_is_json(film: Path, tmp_path: Path) -> None:
    """The schema may be a file; with --json its value is parsed."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    with saying(JSON_TEXT) as server:
        plain = huatuo(server, "ask", film, "Describe it.", "--json-schema", schema)
        whole = huatuo(server, "ask", film, "Describe it.", "--json-schema", '{"type": "object"}', "--json")
        cut = huatuo(server, "ask", film, "Describe it.", "--json-schema", schema, "--max-tokens", "3")

    assert json.loads(plain.stdout)["modality"] == json.loads(whole.stdout)["value"]["modality"] == "x-ray"
    assert (cut.returncode, cut.stdout) == (1, b"")
    assert b"answer_cut" in cut.stderr


def test_an_answer_that_was_cut_is_marked(server: Served) -> None:
    """On stderr, and in the JSON."""
    done = huatuo(server, "ask", "What is this?", "--max-tokens", "2")

    assert done.returncode == 0
    assert b"was cut" in done.stderr
    assert json.loads(huatuo(server, "ask", "What?", "--max-tokens", "2", "--json").stdout)["finish_reason"] == "length"


def test_a_demo_says_that_it_is_one() -> None:
    """Beside every answer."""
    with served(demo=DEMO) as server:
        done = huatuo(server, "ask", "What is this?")
        models = huatuo(server, "models")

    assert DEMO.encode() in done.stderr
    assert DEMO.encode() not in done.stdout
    assert DEMO.encode() in models.stderr


def test_an_answer_that_breaks_off_is_an_error() -> None:
    """What came stands on stdout, on a line of its own; the reason and a code on stderr."""
    with served(scripted_engine(Completion(text=TEXT, fail_after=6))) as server:
        done = huatuo(server, "ask", "What is this?")

    assert done.returncode == 1
    assert TEXT.startswith(done.stdout.decode().removesuffix("\n"))
    assert done.stdout.endswith(b"\n")
    assert b"engine_error" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_error_is_one_line_with_its_code(server: Served, tmp_path: Path) -> None:
    """And the id under which the server's log has it."""
    (tmp_path / "broken.png").write_bytes(grey_png(1)[:40])

    done = huatuo(server, "ask", tmp_path / "broken.png", "What is this?")

    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("huatuo: ")
    assert "(invalid_image, request " in line


def test_a_reader_that_is_gone_is_no_traceback(server: Served) -> None:
    """As with `| head`: quiet, and exit 141."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        process = begun(server, "ask", "What is this?", stdout=stdout)
    code, _, err = ended(process)

    assert (code, err) == (141, "")


def test_a_reader_of_stderr_that_is_gone_is_no_traceback(server: Served) -> None:
    """Nor does it hang."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stderr:
        process = begun(server, "ask", "missing.png", "What is this?", stderr=stderr)
    code, out, _ = ended(process)

    assert (code, out) == (141, "")


def test_a_disk_that_is_full_is_told(server: Served) -> None:
    """An answer that cannot be written is exit 1 and one line."""
    with Path("/dev/full").open("wb") as stdout:
        code, _, err = ended(begun(server, "ask", "What is this?", stdout=stdout))

    assert (code, err) == (1, "huatuo: output: No space left on device.\n")


def test_a_rendering_is_a_png_on_stdout(server: Served, ct: Path, tmp_path: Path) -> None:
    """Or in a file; what was done to the image is said on stderr, or as JSON."""
    piped = huatuo(server, "render", ct, "--preset", "lung")
    told = huatuo(server, "render", ct, "--preset", "lung", "--out", tmp_path / "lung.png", "--json")

    assert piped.stdout.startswith(b"\x89PNG")
    assert piped.stdout == (tmp_path / "lung.png").read_bytes()
    assert b"window -600/1500 (preset)" in piped.stderr
    assert json.loads(told.stdout)["modality"] == "CT"


@pytest.mark.parametrize("way", ["name", "link", "stdin"])
def test_a_rendering_is_not_written_over_its_image(server: Served, ct: Path, way: str) -> None:
    """By whatever name: a patient's file is not to be had again. Exit 2."""
    before = ct.read_bytes()
    (ct.parent / "same.dcm").hardlink_to(ct)
    out = ct.parent / "same.dcm" if way == "link" else ct
    with ct.open("rb") as stdin:
        given = "-" if way == "stdin" else str(ct)
        code, _, err = ended(begun(server, "render", given, "--out", out, stdin=stdin.fileno()))

    assert code == 2
    assert "image itself" in err
    assert ct.read_bytes() == before


def test_models_and_health_are_lines(server: Served) -> None:
    """For a person, and as JSON."""
    assert huatuo(server, "models").stdout.decode().split("\t")[0] == MODEL
    assert json.loads(huatuo(server, "models", "--json").stdout)["id"] == MODEL
    assert huatuo(server, "health").stdout == b"ok\n"
    assert json.loads(huatuo(server, "health", "--json").stdout)["ready"] is True


def test_a_wait_is_told_once() -> None:
    """So that nobody wonders why nothing happens while a server starts."""
    with served(scripted_engine(Completion(text=TEXT), start_delay_s=8.0), ready=False) as server:
        done = huatuo(server, "ask", "What is this?")

    assert (done.returncode, done.stdout.decode()) == (0, f"{TEXT}\n")
    assert done.stderr.count(b"Trying again.") == 1
    assert b"(not_ready)" in done.stderr


def test_a_key_may_stand_in_the_environment(tmp_path: Path) -> None:
    """Or on the command line; its base URL too."""
    keys = Keys(tmp_path)
    secret = keys.add()
    with served(keys_file=keys.path) as server:
        without = huatuo(server, "ask", "What is this?")
        by_variable = huatuo(server, "ask", "What is this?", more={"HUATUO_API_KEY": secret})
        by_flag = huatuo(None, "ask", "What is this?", "--api-key", secret, "--base-url", f"{server.base_url}/v1")

    assert (without.returncode, by_variable.returncode, by_flag.returncode) == (1, 0, 0)
    assert b"invalid_api_key" in without.stderr
    assert secret.encode() not in without.stderr + by_variable.stderr + by_flag.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), b"usage"),
        (("ask",), b"QUESTION"),
        (("ask", "film.png"), b"question is missing"),
        (("ask", "missing.png", "What?"), b"missing.png"),
        (("ask", "What?", "--jsn"), b"did you mean --json?"),
        (("ask", "What?", "--choices", "yes", "--json-schema", "{}"), b"not allowed with"),
        (("ask", "What?", "--json-schema", "{"), b"no JSON"),
        (("ask", "What?", "--json-schema", "missing.json"), b"missing.json"),
        (("ask", "What?", "--base-url", "ftp://films"), b"base URL"),
        (("models", "surplus"), b"surplus"),
        (("render", ".", "--out", "x.png"), b"folder"),
        (("render", "film.png", "--json"), b"--out"),
        (("map", "missing", "--question", "What?", "--out", "r.jsonl"), b"no such folder"),
        (("map", ".", "--question", "What?", "--out", "no/r.jsonl"), b"No such file"),
        (("map", ".", "--question", "What?", "--out", "r.jsonl", "--concurrency", "0"), b"--concurrency"),
        (("chat", "-"), b"stdin"),
        (("answer", "What?"), b"invalid choice"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_misuse_is_told_and_nothing_is_asked(
    server: Served, film: Path, arguments: tuple[str, ...], said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, and no more than a line for a flag."""
    monkeypatch.chdir(film.parent)
    before = len(server.engine.generations)

    done = huatuo(server, *arguments)

    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr
    assert len(server.engine.generations) == before
