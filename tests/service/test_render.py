"""`POST /v1/images/render`: exactly what the model sees, or what a page needs to show the image itself."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.service.served import Served, image_part, image_part_of, served
from tests.service.test_images import RAMP, ct, film, seen, with_view


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(image_workers=1) as running:
        yield running


def render(server: Served, part: dict[str, Any], accept: str = "application/json", **fields: Any) -> httpx.Response:
    return httpx.post(
        f"{server.base_url}/v1/images/render", json={"image": part, **fields}, headers={"Accept": accept}, timeout=30
    )


def picture(response: httpx.Response) -> NDArray[Any]:
    """The picture in a JSON answer."""
    assert response.status_code == 200, response.text
    head, _, encoded = response.json()["image"].partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


@pytest.mark.parametrize("name", ["retina_land_1000x700.png", "logo_rgba.png", "tiny_5x7.png"])
def test_model_is_exactly_what_the_model_sees(server: Served, name: str) -> None:
    """Every pixel, and the same provenance as the chat's."""
    pixels, told = seen(server, image_part(name))

    response = render(server, image_part(name))

    assert np.array_equal(picture(response), pixels)
    assert response.json()["provenance"] == told


def test_a_client_that_takes_png_gets_the_bytes(server: Served) -> None:
    """With the provenance as JSON in a header, and nothing that a cache may keep."""
    part = with_view(image_part_of(ct()), preset="brain")
    response = render(server, part, accept="image/png")

    told = json.loads(response.headers["x-image-provenance"])
    assert response.headers["content-type"] == "image/png"
    assert response.headers["cache-control"] == "no-store"
    assert told == render(server, part).json()["provenance"]
    assert told["window"] == {"center": 40.0, "width": 80.0, "source": "preset"}
    assert Image.open(io.BytesIO(response.content)).size == (336, 336)


def test_a_size_in_pixels_is_the_longer_edge_and_nothing_is_padded_or_enlarged(server: Served) -> None:
    """1000 x 700 at 500 is 500 x 350; at 2000 it stays as it is."""
    small = render(server, image_part("retina_land_1000x700.png"), size=500)
    whole = render(server, image_part("retina_land_1000x700.png"), size=2000)

    assert picture(small).shape == (350, 500, 3)
    assert picture(whole).shape == (700, 1000, 3)
    told = small.json()["provenance"]
    assert (told["downscaling"], told["padding"], told["tokens"]) == (2.0, None, None)


def test_gray16_holds_the_values_before_any_window(server: Served) -> None:
    """A film's own numbers, bit for bit, where nothing is scaled."""
    response = render(server, image_part_of(film(RAMP)), size=4096, format="gray16")

    assert np.array_equal(picture(response), RAMP)
    assert response.json()["provenance"]["values"] == {
        "slope": 1.0,
        "intercept": 0.0,
        "units": None,
        "inverted": False,
        "function": "LINEAR_EXACT",
        "padding": None,
    }


def test_gray16_of_ct_gives_hounsfield_units_back(server: Served) -> None:
    """number * slope + intercept: air is below -800, and the file's stored 16-bit range is kept whole."""
    response = render(server, image_part_of(ct()), size=4096, format="gray16")

    values = response.json()["provenance"]["values"]
    units = picture(response) * values["slope"] + values["intercept"]
    assert (values["units"], values["slope"]) == ("HU", 1.0)
    # pydicom's CT_small: stored 128 to 2191, rescaled by 1 and -1024.
    assert (units.min(), units.max()) == (-896, 1167)


def test_gray16_of_a_region(server: Served) -> None:
    """Only that part."""
    part = with_view(image_part_of(film(RAMP)), region=[10, 0, 20, 5])

    assert np.array_equal(picture(render(server, part, size=4096, format="gray16")), RAMP[:5, 10:20])


def test_colour_has_no_grey_values(server: Served) -> None:
    """A 422 that proposes png; a grey picture saved in colour has them."""
    refused = render(server, image_part("retina_land_1000x700.png"), size=100, format="gray16")
    grey = render(server, image_part("mr_64_gray.png"), size=100, format="gray16")

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "image_refused")
    assert picture(grey).shape == (64, 64)


WRONG: list[tuple[dict[str, Any], str | None]] = [
    ({}, "image"),
    ({"image": {"type": "text", "text": "x"}}, "image.type"),
    ({"image": {"type": "image_url", "image_url": {}}}, "image.image_url"),
    ({"image": image_part("tiny_5x7.png"), "size": 0}, "size"),
    ({"image": image_part("tiny_5x7.png"), "size": "large"}, "size"),
    ({"image": image_part("tiny_5x7.png"), "size": 100_000}, "size"),
    ({"image": image_part("tiny_5x7.png"), "format": "jpeg"}, "format"),
    ({"image": image_part("tiny_5x7.png"), "format": "gray16"}, "size"),
    ({"image": image_part("tiny_5x7.png"), "quality": 1}, None),
    ({"image": with_view(image_part("tiny_5x7.png"), frame=2)}, "image.image_url.view.frame"),
]


@pytest.mark.parametrize(("body", "param"), WRONG, ids=range(len(WRONG)))
def test_a_faulty_request_is_told_which_field_is_wrong(server: Served, body: dict[str, Any], param: str | None) -> None:
    """A 400 with the field's path."""
    response = httpx.post(f"{server.base_url}/v1/images/render", json=body)

    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request_error", param)


def test_renders_are_counted_by_their_own_route(server: Served) -> None:
    """Beside the chat's."""
    before = server.metric("hgv_requests_total", route="/v1/images/render", outcome="ok")

    render(server, image_part("tiny_5x7.png"))

    assert server.metric("hgv_requests_total", route="/v1/images/render", outcome="ok") == before + 1
