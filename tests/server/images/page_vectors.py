"""What the page's own windowing must give, as the server computes it.

`python -m tests.server.images.page_vectors` writes the file.
The page's unit tests read the file, so that a canvas in a browser and a render of the server's agree.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.images.frame import Grey, WindowFunction
from huatuo_server.images.grey16 import grey16
from huatuo_server.images.window import shade, shade_picture
from huatuo_server.protocol.view import PRESETS, View, Window

FILE: Final = Path(__file__).parents[3] / "clients" / "web" / "test" / "data" / "windowing.json"

NUMBERS: Final = [0, 1, 2, 3, 127, 128, 255, 256, 900, 1023, 1024, 1025, 1063, 1064, 1065, 2047, 4095, 30000, 65535]

FUNCTIONS: Final[tuple[WindowFunction, ...]] = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

WINDOWS: Final = (*PRESETS.values(), Window(0.5, 1), Window(1024.25, 3), Window(-3000, 100), Window(2047.5, 4096))

PNG_VALUES: Final = {
    "a ramp": np.arange(35, dtype=np.uint16).reshape(5, 7) * 1871,
    "noise": np.random.default_rng(0).integers(0, 65536, (9, 6)).astype(np.uint16),
    "smooth": (np.add.outer(np.arange(12) ** 2 * 7, np.arange(9) ** 2 * 11) + 5).astype(np.uint16),
    "one pixel": np.array([[4097]], np.uint16),
}


def document() -> dict[str, Any]:
    """`grey`: numbers of a 16-bit picture, and their shades. `channel`: those of 0 to 255. `png`: pictures."""
    return {
        "numbers": NUMBERS,
        "grey": [*_grey_vectors()],
        "channel": [{"window": _told(window), "shades": _channel(window)} for window in WINDOWS],
        "png": [{"name": name, **_png(values)} for name, values in PNG_VALUES.items()],
    }


def written() -> str:
    """As it lies in the file: a vector a line."""
    lists = {
        name: "[\n" + ",\n".join(json.dumps(one) for one in some) + "\n]" if name != "numbers" else json.dumps(some)
        for name, some in document().items()
    }
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {text}" for name, text in lists.items()) + "\n}\n"


def _grey_vectors() -> list[dict[str, Any]]:
    scales = ((1.0, -1024.0, False, None), (0.25, -7.5, True, None), (1.0, 0.0, True, [0.0, 2.0]))
    return [
        {
            "stored": {
                "slope": slope,
                "intercept": intercept,
                "units": None,
                "inverted": inverted,
                "function": function,
                "padding": padding,
            },
            "window": _told(window),
            "shades": _shades(np.array(NUMBERS) * slope + intercept, window, function, inverted, padding),
        }
        for function, window, (slope, intercept, inverted, padding) in itertools.product(FUNCTIONS, WINDOWS, scales)
    ]


def _shades(
    values: NDArray[np.float64],
    window: Window,
    function: WindowFunction,
    inverted: bool,
    padding: list[float] | None,
) -> list[int]:
    rows = values.reshape(1, -1)
    is_padding = None if padding is None else (rows >= padding[0]) & (rows <= padding[1])
    image, _, _ = shade(Grey(rows, inverted, function=function, padding=is_padding), View(window=window))
    shades: list[int] = np.asarray(image)[0].tolist()
    return shades


def _channel(window: Window) -> list[int]:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    shades: list[int] = np.asarray(shade_picture(ramp, window))[0].tolist()
    return shades


def _png(values: NDArray[np.uint16]) -> dict[str, Any]:
    image, _ = grey16(Grey(values), None)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    height, width = values.shape
    encoded = base64.b64encode(file.getvalue()).decode()
    return {"width": width, "height": height, "numbers": values.reshape(-1).tolist(), "base64": encoded}


def _told(window: Window) -> dict[str, float]:
    return {"center": window.center, "width": window.width}


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(written(), encoding="utf-8")
    print(f"wrote {FILE}")
