"""An image behind a URL -> its bytes, from listed origins alone."""
