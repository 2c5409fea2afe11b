"""The Python library and the command `huatuo`, against running servers."""
