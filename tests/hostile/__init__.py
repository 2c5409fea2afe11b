"""Files made to hurt whoever opens them, each made by code, with what a server may answer to it."""

from tests.hostile import bmp, dicom, found, gif, jpeg, png, strangers, tiff, truncated, webp
from tests.hostile.item import Item

CORPUS: tuple[Item, ...] = (
    *png.ITEMS,
    *jpeg.ITEMS,
    *gif.ITEMS,
    *webp.ITEMS,
    *bmp.ITEMS,
    *tiff.ITEMS,
    *dicom.ITEMS,
    *strangers.ITEMS,
    *truncated.ITEMS,
    *found.ITEMS,
)
