"""One module a command of `huatuo-server`; `parse` puts them together."""
