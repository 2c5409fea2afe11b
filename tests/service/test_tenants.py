"""What a key opens and keeps apart, over the wire; `test_keys` says how keys come, go and run out."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from huatuo_server.engine.scripted import Completion
from huatuo_server.routes.authentication import OPEN
from huatuo_server.tenants.key import new_secret
from huatuo_server.tenants.key_file import KeyFile
from tests.server.tenants.keys import key
from tests.service.served import Served, ask, image_part, scripted_engine, served
from tests.service.supervised import until

CHAT = "/v1/chat/completions"
PICTURE = image_part("ct_128_gray.png")
QUESTION = [PICTURE, {"type": "text", "text": "What is this?"}]


class KeyFolder:
    """A file of keys for one test, with one in it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.jsonl"
        self._number = 0
        self.add(tenant="somebody")

    def add(self, **given: Any) -> str:
        """A new key's secret."""
        self._number += 1
        secret = new_secret()
        KeyFile(self.path).add(key(self._number, secret=secret, **given))
        return secret


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a key that nobody here has."""
    with served(keys_file=KeyFolder(tmp_path_factory.mktemp("keys")).path) as server:
        yield server


def client_of(server: Served, secret: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.base_url}/v1", api_key=secret, max_retries=0, timeout=30)


def asked(server: Served) -> list[Any]:
    """Of clients' requests, the generations."""
    return [one for one in server.engine.generations if not one.request_id.startswith(("warm", "canary"))]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer hgv-wrong"},
        {"Authorization": "Basic aGd2OmhndA=="},
        {"Authorization": f"Bearer {'hgv-' * 2000}"},
        {"X-Api-Key": "hgv-wrong"},
    ],
    ids=["none", "empty", "no secret", "wrong", "another scheme", "long", "another header"],
)
def test_without_a_good_key_nothing_is_read_or_told(guarded: Served, headers: dict[str, str]) -> None:
    """401 in OpenAI's shape, counted, with the scheme that is wanted; the body is not looked at."""
    before = guarded.metric("hgv_rejections_total", reason="invalid_api_key")

    refused = guarded.post(None, content=b"no JSON at all", headers=headers)

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert "hgv-" not in refused.text
    assert guarded.metric("hgv_rejections_total", reason="invalid_api_key") == before + 1


def test_a_body_without_a_key_is_refused_before_it_is_sent(guarded: Served) -> None:
    """200 MB are announced, and none of them is needed for the 401."""
    connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=10)
    connection.putrequest("POST", CHAT)
    connection.putheader("Content-Length", str(200 * 1024 * 1024))
    connection.endheaders()

    assert connection.getresponse().status == 401


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/models", "/v1/models/x", "/v1/files", CHAT, "/v1/images/render", "/metrics", "/nothing"),
        *(
            "//v1/models",
            "/v1//models",
            "/./v1/models",
            "/health/../v1/models",
            "/v1/models/",
            "/V1/models",
            "//health",
        ),
        *("/%2e/v1/models", "/health/%2e%2e/v1/models", "/v1%2fmodels", "/%76%31/models", "/health/..%2f..%2fmetrics"),
        *("/health%00", "/health/live;/v1/models", "/healthx", "/docs/../metrics", "/openapi.json/", "*"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1"], ids=["its host", "another port"])
def test_every_path_that_is_not_open_needs_a_key_however_it_is_spelt(guarded: Served, path: str, host: str) -> None:
    """Denied by default: what no list names is closed, and an odd spelling names nothing (CVE-2026-48746)."""
    connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=10)
    connection.request("GET", path, headers={"Host": host})

    assert connection.getresponse().status == 401


def test_the_open_paths_are_open(guarded: Served) -> None:
    """Probes and the page need no key."""
    statuses = {path: httpx.get(guarded.base_url + path).status_code for path in sorted(OPEN)}

    assert 401 not in statuses.values()
    assert statuses["/health/live"] == statuses["/health/ready"] == statuses["/openapi.json"] == 200


def test_what_an_answer_did_not_use_of_its_tokens_comes_back(keys: KeyFolder) -> None:
    """A request reserves its prompt and max_tokens, and pays for what it took."""
    secret = keys.add(tokens_per_min=2000)

    with served(keys_file=keys.path) as server:
        client = client_of(server, secret)
        answers = [client.chat.completions.create(**ask(max_tokens=1500)) for _ in range(4)]
        with pytest.raises(openai.RateLimitError) as too_large:
            client.chat.completions.create(**ask(max_tokens=3000))

    assert len(answers) == 4
    assert too_large.value.code == "rate_limit_exceeded"


def test_images_a_minute_are_counted_before_any_is_decoded(keys: KeyFolder) -> None:
    """The third image of a minute is refused, and nothing was read of it."""
    secret = keys.add(images_per_min=2)

    with served(keys_file=keys.path) as server:
        client = client_of(server, secret)
        client.chat.completions.create(**ask([PICTURE, *QUESTION]))
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**ask(QUESTION))
        num_read = server.metric("hgv_image_stage_seconds_count", stage="read")

    assert num_read == 2


def test_only_so_many_at_once(keys: KeyFolder) -> None:
    """max_concurrent counts a request from its headers to its last token, a stream too."""
    secret = keys.add(max_concurrent=1)

    with served(scripted_engine(Completion(text="word " * 400, delay_s=0.02)), keys_file=keys.path) as server:
        client = client_of(server, secret)
        stream = client.chat.completions.create(**ask(stream=True))
        next(iter(stream))
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(**ask())
        stream.close()
        until(lambda: server.outcomes().get("client_closed") == 1)
        afterwards = client.chat.completions.create(**ask(max_tokens=1))

    assert refused.value.code == "rate_limit_exceeded"
    assert afterwards.choices[0].finish_reason == "length"


def test_tenants_do_not_see_each_others_uploads(keys: KeyFolder, tmp_path: Path) -> None:
    """Another tenant's file does not exist; another key of the same tenant sees it."""
    mine, same, other = keys.add(tenant="a"), keys.add(tenant="a"), keys.add(tenant="b")
    png = b"\x89PNG\r\n\x1a\n" + bytes(64)

    with served(keys_file=keys.path, files_dir=tmp_path / "files") as server:
        uploaded = client_of(server, mine).files.create(file=("x.png", png), purpose="vision")
        seen_by_same = client_of(server, same).files.retrieve(uploaded.id)
        with pytest.raises(openai.NotFoundError):
            client_of(server, other).files.retrieve(uploaded.id)

    assert seen_by_same.id == uploaded.id


def test_the_class_of_a_key_ranks_its_requests_and_nothing_in_a_request_does(keys: KeyFolder) -> None:
    """stat is 0 inside the engine, batch 2; a request that names a priority is refused."""
    stat, batch = keys.add(lane="stat"), keys.add(lane="batch")

    with served(keys_file=keys.path) as server:
        for secret in (stat, batch):
            client_of(server, secret).chat.completions.create(**ask())
        refused = server.post(ask(priority=-1), headers={"Authorization": f"Bearer {batch}"})
        priorities = [one.priority for one in asked(server)]

    assert priorities == [0, 2]
    assert refused.json()["error"]["param"] == "priority"


def test_a_tenants_pictures_and_prefixes_have_keys_of_their_own(keys: KeyFolder) -> None:
    """The same question about the same picture: equal identities and salts within a tenant, others across."""
    secrets = keys.add(tenant="a"), keys.add(tenant="a"), keys.add(tenant="b")

    with served(keys_file=keys.path) as server:
        for secret in secrets:
            client_of(server, secret).chat.completions.create(**ask(QUESTION))
        first, second, other = [(one.prompt.images[0].identity, one.prompt.cache_salt) for one in asked(server)]

    assert first == second
    assert other[0] != first[0]
    assert other[1] != first[1]


def test_replicas_with_one_secret_agree_on_the_keys_of_pictures(tmp_path: Path) -> None:
    """A shared secret makes shared identities; without one each start has its own."""
    secret_file = tmp_path / "secret"
    secret_file.write_bytes(bytes(range(64)))

    def identity(**settings: Any) -> tuple[str, str | None]:
        with served(**settings) as server:
            server.create(QUESTION)
            (generation,) = asked(server)
            return generation.prompt.images[0].identity, generation.prompt.cache_salt

    shared = [identity(secret_file=secret_file) for _ in range(2)]
    alone = [identity() for _ in range(2)]

    assert shared[0] == shared[1]
    assert alone[0] != alone[1]


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ([{**PICTURE, "uuid": "theirs"}], "messages.0.content.0.uuid"),
        (
            [{"type": "image_url", "image_url": {**PICTURE["image_url"], "uuid": "x"}}],
            "messages.0.content.0.image_url.uuid",
        ),
    ],
    ids=["beside the image", "in it"],
)
def test_a_clients_own_cache_key_is_refused(content: list[dict[str, Any]], param: str) -> None:
    """It would be another tenant's picture's, if a client chose it so (vllm#55439)."""
    with served() as server:
        refused = server.post(ask([*content, {"type": "text", "text": "What is this?"}]))
        num_asked = len(asked(server))

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param
    assert num_asked == 0


def test_an_answer_says_what_it_depends_on() -> None:
    """system_fingerprint stands on whole answers and on every chunk, and is the models list's."""
    with served() as server:
        whole = server.create()
        chunks = list(server.create(stream=True))
        (model,) = httpx.get(f"{server.base_url}/v1/models").json()["data"]

    assert {whole.system_fingerprint, *(chunk.system_fingerprint for chunk in chunks)} == {model["system_fingerprint"]}
    assert model["digest"].startswith("sha256:")
