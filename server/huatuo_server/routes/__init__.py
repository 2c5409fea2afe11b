"""One file per endpoint family, and what all of them share on the way in and out."""
