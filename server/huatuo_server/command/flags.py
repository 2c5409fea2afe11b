"""The fields of `Settings` as command-line flags: which exist, what `--help` says of them, what was given."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from huatuo_server.errors import SettingsError
from huatuo_server.settings import Flag, Settings, flag, load, variable


def add_flags(parser: argparse.ArgumentParser, fields: Iterable[str]) -> None:
    """Give a command the flags of these fields, under their headings. One that is not given leaves no trace."""
    groups: dict[str | None, Any] = {None: parser}
    for field in fields:
        info = Settings.model_fields[field]
        look = next(one for one in info.metadata if isinstance(one, Flag))
        if look.group not in groups:
            groups[look.group] = parser.add_argument_group(look.group)
        shown = argparse.SUPPRESS if look.group is None else _help(field, info)
        taking: dict[str, Any] = {"metavar": look.metavar}
        if info.annotation is bool:
            taking = {"action": "store_const", "const": True}
        elif field == "engine":
            taking["action"] = "append"
        groups[look.group].add_argument(flag(field), dest=field, default=argparse.SUPPRESS, help=shown, **taking)


def read_settings(given: argparse.Namespace) -> Settings:
    """The settings of a command: its flags over the environment. Raises SettingsError."""
    values = {name: value for name, value in vars(given).items() if name in Settings.model_fields}
    if "engine" in values:
        values["engine"] = parse_engine(values["engine"])
    return load(values, os.environ)


def required_model(settings: Settings) -> str:
    """The checkpoint's folder or hub id. Raises SettingsError where none was named."""
    if settings.model is None:
        raise SettingsError("--model is missing: name a checkpoint folder or a hub id (or set HUATUO_MODEL)")
    return settings.model


def parse_engine(pairs: Sequence[str]) -> dict[str, Any]:
    """`["max_num_seqs=64", "kv_cache_dtype=fp8"]` -> values, each JSON where it is JSON, else text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise SettingsError(f"--engine {pair}: write KEY=VALUE, such as max_num_seqs=64")
        try:
            values[key.replace("-", "_")] = json.loads(text)
        except ValueError:
            values[key.replace("-", "_")] = text
    return values


def _help(field: str, info: FieldInfo) -> str:
    default = "" if info.default is None or not isinstance(info.default, int | str) else f"; default: {info.default}"
    if info.annotation is bool:
        default = ""
    return f"{info.description} [{variable(field)}{default}]"
