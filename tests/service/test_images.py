"""Images of a request, over real sockets and through real workers: how they may come, what is seen, what is told."""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import http.client
import io
import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file

from huatuo_server.engine.scripted import Completion
from tests import golden
from tests.server.images import worker_processes
from tests.server.images.provenance import provenance
from tests.service.served import Served, ask, image_part, image_part_of, scripted_engine, served
from tests.service.supervised import until

QUESTION = {"type": "text", "text": "What is this?"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that keeps uploads."""
    with served(files_dir=tmp_path_factory.mktemp("files"), image_workers=1) as running:
        yield running


def film(values: NDArray[Any]) -> bytes:
    """A 16-bit PNG."""
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(file, "PNG")
    return file.getvalue()


RAMP = np.tile(np.arange(336, dtype=np.uint16) * 10 + 1000, (336, 1))
"""336 x 336, so that nothing is scaled: column x has the value 1000 + 10 x."""


def ct() -> bytes:
    """pydicom's 128 x 128 slice of a head, with patient data and no window in its header."""
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    return Path(path).read_bytes()


def data_url(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def seen(server: Served, part: dict[str, Any]) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """What arrives at the engine for a part, and what the answer tells of it."""
    completion = server.create([part, QUESTION])
    (told,) = completion.images
    (image,) = server.engine.generations[-1].prompt.images
    return image.pixels, told


def with_view(part: dict[str, Any], **view: Any) -> dict[str, Any]:
    (kind,) = part.keys() - {"type"}
    return {**part, kind: {**part[kind], "view": view}}


def test_an_answer_tells_where_each_picture_came_from(server: Served) -> None:
    """Its hash, format, size and depth, and that nothing was done to it but padding."""
    _, told = seen(server, image_part("tiny_5x7.png"))

    sha256 = hashlib.sha256(
        base64.b64decode(image_part("tiny_5x7.png")["image_url"]["url"].partition(",")[2])
    ).hexdigest()
    assert told == provenance(sha256=sha256)


def test_a_stream_tells_it_on_its_last_chunk(server: Served) -> None:
    """The same object as a whole answer's."""
    _, told = seen(server, image_part("retina_land_1000x700.png"))
    *_, last = server.create([image_part("retina_land_1000x700.png"), QUESTION], stream=True)

    assert last.images == [told]
    assert told["warnings"] == ["Downscaled 3.0 times: detail smaller than that many pixels is not seen."]


def test_a_16_bit_film_is_windowed_and_not_white(server: Served) -> None:
    """Between its percentiles: for the ramp 1000..4350, the 0.5th is 1010 and the 99.5th 4340, by hand."""
    pixels, told = seen(server, image_part_of(film(RAMP)))

    assert told["bit_depth"] == 16
    window = told["window"]
    low, high = window["center"] - window["width"] / 2, window["center"] + window["width"] / 2
    assert (round(low), round(high), window["source"]) == (1010, 4340, "percentiles")
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, -1].tolist() == [255, 255, 255]
    # The middle of the window, 2675, lies at column 167.5.
    assert abs(int(pixels[0, 168, 0]) - 128) <= 1


def test_a_window_of_the_request_wins(server: Served) -> None:
    """Center 2000, width 1000: 1500 and below black, 2500 and above white, half way at 2000."""
    pixels, told = seen(server, with_view(image_part_of(film(RAMP)), window={"center": 2000, "width": 1000}))

    assert told["window"] == {"center": 2000.0, "width": 1000.0, "source": "request"}
    assert [int(pixels[0, column, 0]) for column in (50, 100, 150)] == [0, 128, 255]


def test_a_region_is_cut_out_of_the_upright_original(server: Served) -> None:
    """Its pixels are enlarged to the model's size, and the window stays the whole picture's."""
    whole, _ = seen(server, image_part_of(film(RAMP)))

    pixels, told = seen(server, with_view(image_part_of(film(RAMP)), region=[84, 84, 252, 252]))

    assert (told["region"], told["padding"], told["downscaling"]) == ([84, 84, 252, 252], None, 0.5)
    assert abs(int(pixels[168, 168, 0]) - int(whole[168, 168, 0])) <= 1


def test_a_region_beyond_the_picture_is_a_400_that_says_its_size(server: Served) -> None:
    """With the field's whole path."""
    part = with_view(image_part("tiny_5x7.png"), region=[0, 0, 6, 7])

    with pytest.raises(openai.BadRequestError, match="5 x 7 pixels") as caught:
        server.create([QUESTION, part])

    assert caught.value.param == "messages.0.content.1.image_url.view.region"


def test_a_preset_is_for_hounsfield_units_alone(server: Served) -> None:
    """On a photograph it is a 400, on a CT slice the window is the preset's."""
    with pytest.raises(openai.BadRequestError, match="Hounsfield") as caught:
        server.create([with_view(image_part("tiny_5x7.png"), preset="lung")])
    _, told = seen(server, with_view(image_part_of(ct()), preset="lung"))

    assert caught.value.param == "messages.0.content.0.image_url.view.preset"
    assert told["window"] == {"center": -600.0, "width": 1500.0, "source": "preset"}


def dicom_parts(server: Served) -> list[dict[str, Any]]:
    """The same slice in every way in which it may come."""
    upload = server.client.files.create(file=("slice.dcm", ct()), purpose="vision")
    return [
        {"type": "image_url", "image_url": {"url": data_url(ct(), "application/dicom")}},
        {"type": "image_url", "image_url": {"url": data_url(ct(), "image/png")}},
        {"type": "file", "file": {"file_data": data_url(ct(), "application/dicom"), "filename": "slice.dcm"}},
        {"type": "file", "file": {"file_data": base64.b64encode(ct()).decode()}},
        {"type": "file", "file": {"file_id": upload.id}},
        {"type": "image_url", "image_url": {"file_id": upload.id}},
    ]


def test_dicom_comes_in_every_way_and_is_the_same_picture(server: Served) -> None:
    """As a data: URL whatever its media type, as a `file` part, as an upload: CT without a window, so 40/400."""
    found = [seen(server, part) for part in dicom_parts(server)]

    pixels, told = found[0]
    assert (told["format"], told["modality"], told["bit_depth"]) == ("DICOM", "CT", 16)
    assert told["window"] == {"center": 40.0, "width": 400.0, "source": "default"}
    assert pixels.std() > 20
    for other, other_told in found[1:]:
        assert np.array_equal(other, pixels)
        assert other_told == told


def test_no_patient_leaves_the_worker(server: Served) -> None:
    """The header's name, id and date are in no answer."""
    assert b"CompressedSamples^CT1" in ct()

    completion = server.create([image_part_of(ct())])

    said = completion.model_dump_json()
    for secret in ("CompressedSamples", "1CT1", "2004", "JFK"):
        assert secret not in said


def test_a_picture_that_comes_again_is_not_prepared_again(server: Served) -> None:
    """The cache is hit, the pixels and the identity are the same; another view is another picture."""
    part = image_part("mr_64_gray.png")
    first, _ = seen(server, part)
    key = server.engine.generations[-1].prompt.images[0].identity
    hits = server.metric("hgv_image_cache_total", result="hit")

    again, _ = seen(server, part)

    assert np.array_equal(first, again)
    assert server.engine.generations[-1].prompt.images[0].identity == key
    assert server.metric("hgv_image_cache_total", result="hit") == hits + 1
    seen(server, with_view(part, region=[0, 0, 32, 32]))
    assert server.engine.generations[-1].prompt.images[0].identity != key


def test_asking_for_what_is_the_default_shares_the_engines_cache(server: Served) -> None:
    """The first frame by name and by default are one picture to the engine."""
    seen(server, image_part("ct_128_gray.png"))
    seen(server, with_view(image_part("ct_128_gray.png"), frame=1))

    first, second = (one.prompt.images[0].identity for one in list(server.engine.generations)[-2:])
    assert first == second


def test_a_deleted_upload_is_gone_for_the_next_question(server: Served) -> None:
    """A 404 that names the part, though its picture had been prepared."""
    upload = server.client.files.create(file=("a.png", film(RAMP)), purpose="vision")
    part = {"type": "file", "file": {"file_id": upload.id}}
    server.create([part])
    server.client.files.delete(upload.id)

    with pytest.raises(openai.NotFoundError) as caught:
        server.create([part])

    assert (caught.value.code, caught.value.param) == ("file_not_found", "messages.0.content.0.file")


def test_without_a_folder_uploads_are_off() -> None:
    """A file_id is then a 404 that names the setting."""
    with served() as server, pytest.raises(openai.NotFoundError, match="--files-dir") as caught:
        server.create([{"type": "file", "file": {"file_id": "file-1"}}])

    assert caught.value.code == "uploads_off"


def test_prompts_carry_their_tenants_salt(server: Served) -> None:
    """Always the same for one tenant of one server."""
    server.create()
    server.create()

    first, second = (one.prompt.cache_salt for one in list(server.engine.generations)[-2:])
    assert first == second
    assert first is not None


def test_each_file_is_bounded() -> None:
    """A 413 that names the setting, before anything is decoded."""
    with (
        served(max_image_bytes=100) as server,
        pytest.raises(openai.APIStatusError, match="--max-image-bytes") as caught,
    ):
        server.create([image_part("tiny_5x7.png"), image_part("ct_128_gray.png")])

    assert (caught.value.status_code, caught.value.param) == (413, "messages.0.content.0.image_url")


def test_more_bytes_than_may_be_in_flight_are_turned_away() -> None:
    """While one body is on its way, another that is announced gets a 429 at once, naming the limit and its setting."""
    limits: dict[str, Any] = {"max_body_bytes": 10_000, "max_bytes_in_flight": 10_000, "max_image_bytes": 1000}
    with served(**limits) as server, socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9900\r\n\r\n" + b" " * 9800
        )
        until(lambda: server.metric("hgv_requests_in_flight") == 1)

        with pytest.raises(openai.RateLimitError, match=r"at most 10000 at once \(--max-bytes-in-flight\)") as caught:
            server.create("word " * 100)

        assert caught.value.response.headers["retry-after"] == "1"
        assert server.metric("hgv_rejections_total", reason="bytes_in_flight") == 1
        slow.close()
        until(lambda: server.metric("hgv_requests_in_flight") == 0)
        assert server.create().choices


def test_more_pixels_than_may_be_in_flight_are_turned_away() -> None:
    """While one picture is in work, another that the header says is too much gets a 429; afterwards it is served."""
    limits: dict[str, Any] = {
        "max_image_pixels": 20_000,
        "max_pixels_in_flight": 20_000,
        "max_images_per_request": 1,
    }
    with served(image_workers=1, **limits) as server, ThreadPoolExecutor(1) as pool:
        server.create([image_part("tiny_5x7.png")])
        # The later one makes pictures, the first one reads headers.
        maker = worker_processes.pids()[-1]
        os.kill(maker, signal.SIGSTOP)
        waiting = pool.submit(server.create, [image_part("ct_128_gray.png")])
        until(lambda: server.metric("hgv_image_workers_busy") == 1)

        with pytest.raises(openai.RateLimitError, match=r"at most 20000 at once \(--max-pixels-in-flight\)"):
            server.create([image_part("mr_64_gray.png")])

        os.kill(maker, signal.SIGCONT)
        assert waiting.result().choices
        assert server.metric("hgv_rejections_total", reason="pixels_in_flight") == 1
        assert server.create([image_part("mr_64_gray.png")]).choices


def test_a_refused_image_never_reaches_the_engine() -> None:
    """One bad image among good ones ends the request before anything is generated."""
    with served(scripted_engine(Completion(text="x"))) as server:
        before = len(server.engine.generations)
        with pytest.raises(openai.BadRequestError):
            server.create([image_part("tiny_5x7.png"), image_part_of(b"rubbish"), image_part("ct_128_gray.png")])

        assert len(server.engine.generations) == before


def status_of(server: Served, body: bytes) -> int:
    """By a client that keeps nothing itself."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", body)
        response = connection.getresponse()
        response.read()
        return response.status


def test_a_refused_image_leaves_nothing_behind() -> None:
    """Its body goes with its answer, not when Python's collector happens to come: six of 12 MB leave less than two."""
    with served() as server:
        body = json.dumps(ask([image_part_of(bytes(12_000_000))])).encode()
        assert status_of(server, body) == 400
        gc.collect()
        gc.disable()
        try:
            before = worker_processes.resident_bytes(os.getpid())
            for _ in range(6):
                assert status_of(server, body) == 400
            growth = worker_processes.resident_bytes(os.getpid()) - before
        finally:
            gc.enable()

    print(f"grown by {growth / 1e6:.0f} MB")
    assert growth < 32_000_000


def test_stages_bytes_and_pixels_are_measured() -> None:
    """One image leaves one observation of each stage, its bytes and its pixels."""
    with served() as server:
        server.create([image_part("ct_128_gray.png")])

        for stage in ("body", "read", "inspect", "decode", "prepare"):
            assert server.metric("hgv_image_stage_seconds_count", stage=stage) == 1, stage
        assert server.metric("hgv_image_pixels_total") == 128 * 128
        assert server.metric("hgv_image_bytes_total") == (golden.IMAGES / "ct_128_gray.png").stat().st_size
        assert server.metric("hgv_image_workers_busy") == 0
