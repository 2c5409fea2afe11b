"""PNG, JPEG, WebP, BMP, TIFF and GIF -> one upright frame."""
