"""Every knob of the server, once. A flag and a HUATUO_* variable exist for each field; the flag wins.

`Settings(...)` reads no environment, so that tests say all they mean; `load` is what the command line calls.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from huatuo_server.errors import SettingsError

PREFIX = "HUATUO_"

MEBIBYTE = 1024 * 1024
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Flag:
    """How a field looks on the command line. group: the heading it stands under in `--help`, None to hide it."""

    metavar: str
    group: str | None


class Settings(BaseModel):
    """What the server was told. Each description is the flag's help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: Annotated[str | None, Flag("PATH_OR_HUB_ID", "model")] = Field(
        default=None,
        min_length=1,
        description="the checkpoint: a folder, or a Hugging Face hub id that is downloaded at the first start",
    )
    served_model_name: Annotated[str | None, Flag("NAME", "model")] = Field(
        default=None,
        min_length=1,
        description="the model's name in the API; default: the hub id, or the folder's name",
    )
    revision: Annotated[str | None, Flag("REVISION", "model")] = Field(
        default=None, min_length=1, description="branch, tag or commit of a hub model"
    )
    host: Annotated[str, Flag("ADDRESS", "network")] = Field(
        default="127.0.0.1",
        min_length=1,
        description="address to listen on; one that other machines can reach needs --keys-file or --no-keys",
    )
    port: Annotated[int, Flag("PORT", "network")] = Field(
        default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one"
    )
    no_keys: Annotated[bool, Flag("", "network")] = Field(
        default=False,
        description="listen on a public address without --keys-file: something in front of the server authenticates",
    )
    trusted_hosts: Annotated[tuple[str, ...], Flag("HOST,...", "network")] = Field(
        default=(),
        description="names under which clients reach this server; others are a 400; default: the loopback's names "
        "where it listens there, else any",
    )
    cors_origins: Annotated[tuple[str, ...], Flag("ORIGIN,...", "network")] = Field(
        default=(), description="web origins whose pages may ask, such as https://viewer.example.org; default: none"
    )
    max_connections: Annotated[int, Flag("N", "network")] = Field(
        default=8192, ge=1, description="connections at once; over it the longest idle one goes, else a 503"
    )
    header_timeout_s: Annotated[float, Flag("SECONDS", "network")] = Field(
        default=10.0, gt=0, le=DAY_S, allow_inf_nan=False, description="time for a request's headers; more is a 408"
    )
    body_timeout_s: Annotated[float, Flag("SECONDS", "network")] = Field(
        default=120.0, gt=0, le=DAY_S, allow_inf_nan=False, description="time for a request's body; more is a 408"
    )
    send_timeout_s: Annotated[float, Flag("SECONDS", "network")] = Field(
        default=30.0,
        gt=0,
        le=DAY_S,
        allow_inf_nan=False,
        description="how long a client may read nothing of its answer before its connection is ended",
    )
    idle_timeout_s: Annotated[float, Flag("SECONDS", "network")] = Field(
        default=75.0, gt=0, le=DAY_S, allow_inf_nan=False, description="how long a connection may wait between requests"
    )
    drain_s: Annotated[float, Flag("SECONDS", "network")] = Field(
        default=30.0,
        ge=0,
        le=DAY_S,
        allow_inf_nan=False,
        description="how long running answers may go on after SIGTERM",
    )
    keys_file: Annotated[Path | None, Flag("FILE", "tenants")] = Field(
        default=None, description="ask every client for one of these keys (huatuo-server keys); default: ask nobody"
    )
    secret_file: Annotated[Path | None, Flag("FILE", "tenants")] = Field(
        default=None,
        description="at least 32 random bytes that keep tenants' caches apart; the same file for all replicas; "
        "default: random, new at each start",
    )
    audit_log: Annotated[Path | None, Flag("FILE", "tenants")] = Field(
        default=None, description="put every request on record here, hash-chained; default: no record"
    )
    dtype: Annotated[Literal["auto", "bfloat16", "float16", "float32"], Flag("TYPE", "engine")] = Field(
        default="auto",
        description="auto, bfloat16, float16 or float32; auto is what the checkpoint's config.json says",
    )
    tensor_parallel_size: Annotated[int, Flag("N", "engine")] = Field(
        default=1, ge=1, description="spread the model over this many GPUs"
    )
    max_model_len: Annotated[int | None, Flag("TOKENS", "engine")] = Field(
        default=None,
        ge=1,
        description="context: tokens of prompt and answer together; default: 4608 for the 7B, 4096 for the 34B",
    )
    enforce_eager: Annotated[bool, Flag("", "engine")] = Field(
        default=False, description="do not compile: starts sooner, answers slower"
    )
    engine: Annotated[dict[str, Any], Flag("KEY=VALUE", "engine")] = Field(
        default_factory=dict,
        description="any other field of vLLM's AsyncEngineArgs; VALUE is JSON, else text; may be repeated "
        "(the variable holds a JSON object)",
    )
    hang_s: Annotated[float, Flag("SECONDS", "engine")] = Field(
        default=30.0,
        gt=0,
        le=DAY_S,
        allow_inf_nan=False,
        description="an engine with work that makes no progress for so long has failed",
    )
    strict: Annotated[bool, Flag("", "limits")] = Field(
        default=False, description="refuse the fields of a request that change nothing, instead of naming them"
    )
    max_waiting: Annotated[int, Flag("N", "limits")] = Field(
        default=256, ge=1, description="requests of one class of keys that may wait for the engine; more are a 429"
    )
    request_timeout_s: Annotated[float, Flag("SECONDS", "limits")] = Field(
        default=300.0,
        gt=0,
        le=DAY_S,
        allow_inf_nan=False,
        description="most time for one request, from its headers to its last token; more is a 504",
    )
    max_images_per_request: Annotated[int, Flag("N", "limits")] = Field(
        default=6, ge=1, description="images in one request; more are a 400"
    )
    max_body_bytes: Annotated[int, Flag("BYTES", "limits")] = Field(
        default=64 * MEBIBYTE, ge=1, description="size of a request's body; more is a 413"
    )
    max_image_pixels: Annotated[int, Flag("PIXELS", "limits")] = Field(
        default=40_000_000, ge=1, description="width times height of one image; more is a 422"
    )
    max_image_side: Annotated[int, Flag("PIXELS", "limits")] = Field(
        default=20_000, ge=1, description="longer side of one image; more is a 422"
    )
    max_image_bytes: Annotated[int, Flag("BYTES", "limits")] = Field(
        default=64 * MEBIBYTE, ge=1, description="size of one image's file, sent, uploaded or fetched; more is a 413"
    )
    max_frames: Annotated[int, Flag("N", "limits")] = Field(
        default=1_000, ge=1, description="frames or pages in one image's file; more are a 422"
    )
    max_bytes_in_flight: Annotated[int, Flag("BYTES", "limits")] = Field(
        default=512 * MEBIBYTE, ge=1, description="bytes of all bodies held at once; a request over it is a 429"
    )
    max_pixels_in_flight: Annotated[int, Flag("PIXELS", "limits")] = Field(
        default=1_000_000_000, ge=1, description="pixels of all images waiting or in work; one over it is a 429"
    )
    image_workers: Annotated[int | None, Flag("N", "images")] = Field(
        default=None, ge=1, description="processes that prepare images; default: one a core, at most 8"
    )
    image_memory_bytes: Annotated[int, Flag("BYTES", "images")] = Field(
        default=512 * MEBIBYTE, ge=256 * MEBIBYTE, description="memory of one such process; an image over it is a 422"
    )
    image_cpu_s: Annotated[float, Flag("SECONDS", "images")] = Field(
        default=2.0, gt=0, le=DAY_S, allow_inf_nan=False, description="processor time of one image; more is a 422"
    )
    image_timeout_s: Annotated[float, Flag("SECONDS", "images")] = Field(
        default=10.0,
        gt=0,
        le=DAY_S,
        allow_inf_nan=False,
        description="wall time of one image once begun; more is a 504",
    )
    image_cache_bytes: Annotated[int, Flag("BYTES", "images")] = Field(
        default=128 * MEBIBYTE, ge=0, description="memory for prepared images that may come again; 0 turns it off"
    )
    files_dir: Annotated[Path | None, Flag("FOLDER", "files")] = Field(
        default=None, description="keep uploads of POST /v1/files here; default: uploads are off"
    )
    file_ttl_s: Annotated[int, Flag("SECONDS", "files")] = Field(
        default=DAY_S, ge=1, description="how long an upload is kept"
    )
    file_quota_bytes: Annotated[int, Flag("BYTES", "files")] = Field(
        default=1024 * MEBIBYTE, ge=1, description="bytes of uploads that one tenant may keep; more is a 413"
    )
    remote_images: Annotated[tuple[str, ...], Flag("ORIGIN,...", "files")] = Field(
        default=(),
        description="fetch image URLs of these origins, such as https://pacs.example.org; default: fetch nothing",
    )
    remote_timeout_s: Annotated[float, Flag("SECONDS", "files")] = Field(
        default=10.0, gt=0, le=DAY_S, allow_inf_nan=False, description="time for fetching one image"
    )
    scripted: Annotated[Path | None, Flag("FILE", None)] = Field(
        default=None, description="play this script instead of a model (for tests)"
    )

    @field_validator("remote_images", "trusted_hosts", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """A flag and a variable are one text, with commas."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """As a browser sends them: nothing behind the port, and no `*`, which would let every page in."""
        if not all(re.fullmatch(r"https?://[^/\s*?#]+", one) for one in value):
            raise ValueError("must be origins such as https://viewer.example.org")
        return value

    @model_validator(mode="after")
    def _one_request_fits(self) -> Settings:
        """What one request may bring must fit what all together may: else it would be told to try again for ever."""
        if self.max_bytes_in_flight < self.max_body_bytes:
            raise ValueError("max_bytes_in_flight must be at least max_body_bytes")
        if self.max_bytes_in_flight < self.max_image_bytes * self.max_images_per_request:
            raise ValueError("max_bytes_in_flight must be at least max_image_bytes times max_images_per_request")
        if self.max_pixels_in_flight < self.max_image_pixels * self.max_images_per_request:
            raise ValueError("max_pixels_in_flight must be at least max_image_pixels times max_images_per_request")
        return self

    @property
    def public_name(self) -> str:
        """The model's name in the API: never a path of this machine."""
        if self.served_model_name is not None:
            return self.served_model_name
        if self.model is None:
            return "scripted"
        folder = Path(self.model)
        return folder.resolve().name if folder.is_dir() else self.model

    @property
    def listens_publicly(self) -> bool:
        """Whether other machines could reach the server; a host name other than localhost counts as public."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


def variable(field: str) -> str:
    """The environment variable of a field: max_model_len -> HUATUO_MAX_MODEL_LEN."""
    return PREFIX + field.upper()


def flag(field: str) -> str:
    """The command-line flag of a field: max_model_len -> --max-model-len."""
    return "--" + field.replace("_", "-")


def load(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Settings from flags (only those that were given) over the environment.

    `engine` is merged key by key. An empty variable counts as absent.
    Raises SettingsError, one sentence for every wrong value, each naming its flag or variable.
    """
    values = _from_environment(environ)
    merged = {**values, **flags}
    if "engine" in values and "engine" in flags:
        merged["engine"] = {**values["engine"], **flags["engine"]}
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentences(error, flags))) from None


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """One sentence for every HUATUO_* variable that means nothing here, with the nearest name that does."""
    known = [variable(field) for field in Settings.model_fields]
    strangers = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return [f"{name} is not a setting and is ignored{did_you_mean(name, known)}" for name in strangers]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean A?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in Settings.model_fields:
        text = environ.get(variable(field), "")
        if text:
            values[field] = _json_object(text) if field == "engine" else text
    return values


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise SettingsError(f'{variable("engine")} must be a JSON object, such as {{"max_num_seqs": 64}}')
    return value


def _sentences(error: ValidationError, flags: Mapping[str, Any]) -> Iterable[str]:
    for one in error.errors(include_url=False):
        if not one["loc"]:
            yield one["msg"].removeprefix("Value error, ")
            continue
        field = str(one["loc"][0])
        source = flag(field) if field in flags else variable(field)
        message = one["msg"]
        yield f"{source}: {message[:1].lower()}{message[1:]}, not {one['input']!r}"
