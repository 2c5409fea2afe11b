"""Settings: flags over the environment, and messages a person can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from huatuo_server.errors import SettingsError
from huatuo_server.settings import Flag, Settings, flag, load, unknown_variables, variable


def test_a_flag_wins_over_its_variable() -> None:
    """What is typed now beats what was exported yesterday."""
    settings = load({"port": "9000"}, {"HUATUO_PORT": "7000", "HUATUO_DTYPE": "float32", "HUATUO_ENFORCE_EAGER": "1"})

    assert (settings.port, settings.dtype, settings.enforce_eager) == (9000, "float32", True)


def test_the_defaults_are_the_reference_and_a_private_address() -> None:
    """Nothing said means: this machine only, port 8000, six images."""
    settings = load({}, {})

    assert (settings.host, settings.port, settings.max_images_per_request) == ("127.0.0.1", 8000, 6)
    assert not settings.listens_publicly


def test_engine_arguments_of_flags_and_environment_are_merged_by_key() -> None:
    """One --engine flag does not silently drop the variable's other keys."""
    settings = load({"engine": {"a": 2}}, {"HUATUO_ENGINE": '{"a": 1, "b": [3]}'})

    assert settings.engine == {"a": 2, "b": [3]}


def test_an_empty_variable_is_an_absent_one() -> None:
    """`docker run -e HUATUO_MAX_MODEL_LEN=` means the default, not an error."""
    assert load({}, {"HUATUO_MAX_MODEL_LEN": "", "HUATUO_PORT": ""}) == load({}, {})


@pytest.mark.parametrize(
    ("flags", "environ", "said"),
    [
        ({"port": "99999"}, {}, "--port: input should be less than or equal to 65535, not '99999'"),
        ({}, {"HUATUO_PORT": "http"}, "HUATUO_PORT: "),
        ({}, {"HUATUO_DTYPE": "int8"}, "HUATUO_DTYPE: input should be 'auto', 'bfloat16', 'float16' or 'float32'"),
        ({"tensor_parallel_size": "0"}, {"HUATUO_TENSOR_PARALLEL_SIZE": "2"}, "--tensor-parallel-size: "),
        ({}, {"HUATUO_ENGINE": "max_num_seqs=3"}, "HUATUO_ENGINE must be a JSON object"),
        ({}, {"HUATUO_ENGINE": "[1]"}, "HUATUO_ENGINE must be a JSON object"),
        ({}, {"HUATUO_NO_KEYS": "perhaps"}, "HUATUO_NO_KEYS: "),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_where_it_came_from(
    flags: dict[str, Any], environ: dict[str, str], said: str
) -> None:
    """Nobody has to guess which flag or variable to mend, or to read a library's dump."""
    with pytest.raises(SettingsError) as caught:
        load(flags, environ)

    assert caught.value.message.startswith(said)
    assert "\n" not in caught.value.message
    assert "pydantic" not in caught.value.message


def test_every_bad_value_is_named_at_once() -> None:
    """Two mistakes take one start to find."""
    with pytest.raises(SettingsError, match=r"HUATUO_PORT: .*; HUATUO_MAX_IMAGE_SIDE: "):
        load({}, {"HUATUO_PORT": "x", "HUATUO_MAX_IMAGE_SIDE": "-1"})


def test_a_misspelt_variable_is_told_with_the_nearest_name() -> None:
    """A variable that does nothing is not silently ignored; others' variables are."""
    said = unknown_variables({"HUATUO_MAX_MODEL_LENGTH": "1", "HUATUO_MODEL": "x", "PATH": "y", "HUATUO_QQQ": "z"})

    assert said == [
        "HUATUO_MAX_MODEL_LENGTH is not a setting and is ignored; did you mean HUATUO_MAX_MODEL_LEN?",
        "HUATUO_QQQ is not a setting and is ignored",
    ]


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("10.0.0.7", True),
        ("huatuo.example.org", True),
    ],
)
def test_only_loopback_is_private(host: str, public: bool) -> None:
    """Whatever another machine might reach counts as public, names included."""
    assert Settings(host=host).listens_publicly is public


def test_the_public_name_never_holds_a_path(tmp_path: Path) -> None:
    """A folder shows its name, a hub id itself, and --served-model-name wins."""
    folder = tmp_path / "HuatuoGPT-Vision-7B"
    folder.mkdir()

    assert Settings(model=str(folder)).public_name == "HuatuoGPT-Vision-7B"
    assert Settings(model=f"{folder}/.").public_name == "HuatuoGPT-Vision-7B"
    assert Settings(model="owner/model").public_name == "owner/model"
    assert Settings(model="owner/model", served_model_name="huatuo").public_name == "huatuo"


def test_settings_cannot_be_changed() -> None:
    """What the start was told holds until the end."""
    settings = Settings()

    with pytest.raises(ValidationError):
        setattr(settings, "port", 1)  # noqa: B010 - a type checker refuses the plain assignment, as it should


@pytest.mark.parametrize("field", list(Settings.model_fields))
def test_every_field_has_a_flag_a_variable_and_a_sentence(field: str) -> None:
    """A knob that `--help` does not explain does not exist."""
    info = Settings.model_fields[field]

    assert info.description
    assert any(isinstance(one, Flag) for one in info.metadata)
    assert flag(field) == "--" + variable(field).removeprefix("HUATUO_").lower().replace("_", "-")


def test_limits_that_contradict_each_other_stop_the_start() -> None:
    """One request that is allowed must fit what all together may have, or it would be told to try again for ever."""
    with pytest.raises(SettingsError, match="max_bytes_in_flight must be at least max_body_bytes"):
        load({"max_body_bytes": "2000", "max_bytes_in_flight": "1000"}, {})
    with pytest.raises(SettingsError, match="max_pixels_in_flight must be at least max_image_pixels"):
        load({"max_pixels_in_flight": "1000"}, {})
    with pytest.raises(SettingsError, match="max_bytes_in_flight must be at least max_image_bytes times"):
        load({"max_images_per_request": "9"}, {})


def test_a_list_is_one_text_with_commas() -> None:
    """On the command line as in the environment; blanks do not matter."""
    settings = load({}, {"HUATUO_REMOTE_IMAGES": "https://a.example, http://b.example:8042,"})

    assert settings.remote_images == ("https://a.example", "http://b.example:8042")
