"""The client: questions to a huatuo-server, over OpenAI's SDK."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import weakref
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, Unpack, cast
from urllib.parse import urlsplit

import httpx2
import openai

from huatuo_client.answer import Answer, Choices, of_its_shape
from huatuo_client.answer_stream import AnswerStream
from huatuo_client.background import in_thread
from huatuo_client.content_part import ImageSource, image_part
from huatuo_client.errors import AnswerBroken, HuatuoError
from huatuo_client.errors import of as known_error
from huatuo_client.health import Health
from huatuo_client.model import Model
from huatuo_client.question import Options, Question, asked
from huatuo_client.rendering import Rendering
from huatuo_client.retrying import Retrying
from huatuo_client.view import View

Sdk = TypeVar("Sdk", openai.OpenAI, openai.AsyncOpenAI)

TIMEOUT_HEADER: Final = "X-Request-Timeout"

BASE_URL: Final = "http://127.0.0.1:8000"
BASE_URL_VARIABLE: Final = "HUATUO_BASE_URL"
API_KEY_VARIABLE: Final = "HUATUO_API_KEY"

NO_KEY: Final = "none"
"""The SDK wants one, and else takes OpenAI's own from the environment; a server without keys does not look at it."""

SILENCE_S: Final = 600.0
"""How long a server may be silent, where no time-out is given. Its own limit is 300 by default."""

CONNECT_S: Final = 5.0
GRACE_S: Final = 10.0
"""Beyond a given time-out: the server keeps it, and says so."""

CHAT: Final = "/chat/completions"
CHOICES: Final = "/chat/choices"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question of a `map`. index: which, counted from 0. Either answer or error is None."""

    index: int
    answer: Answer | Choices | None = None
    error: HuatuoError | None = None


class HuatuoClient:
    """base_url: the server's, with `/v1` or without; else HUATUO_BASE_URL, else http://127.0.0.1:8000. api_key: else
    HUATUO_API_KEY. model: else the one that is served. timeout_s: of a request, kept by the server; else the server's.

    Everything raises HuatuoError (huatuo_client.errors); to make one, ValueError for what is no base URL or no key.
    Several threads may use it, and several loops. Redirects are not followed.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        model: str | None = None,
        timeout_s: float | None = None,
        retrying: Retrying | None = None,
    ) -> None:
        self.base_url = _root(base_url or os.environ.get(BASE_URL_VARIABLE) or BASE_URL)
        self._api_key = _key(api_key) or _key(os.environ.get(API_KEY_VARIABLE)) or NO_KEY
        self._model = model
        """None until it was asked for."""
        self._timeout_s = timeout_s
        self._retrying = retrying or Retrying()
        http = openai.DefaultHttpx2Client(trust_env=self._trusts_environment, follow_redirects=False)
        self.sdk = _without_environment(openai.OpenAI(http_client=http, **self._sdk_options()))
        """OpenAI's client, for what is not here; it does not try again."""
        self._async_sdks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, openai.AsyncOpenAI] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def _trusts_environment(self) -> bool:
        """Whether proxies of the environment are asked: never for this machine itself."""
        return not _is_loopback(urlsplit(self.base_url).hostname or "")

    def _sdk_options(self) -> dict[str, Any]:
        """The SDK's own retries are off: ours know how long the server asks to be left alone."""
        silence_s = SILENCE_S if self._timeout_s is None else self._timeout_s + GRACE_S
        headers = {} if self._timeout_s is None else {TIMEOUT_HEADER: f"{self._timeout_s:g}"}
        return {
            "base_url": f"{self.base_url}/v1",
            "api_key": self._api_key,
            "max_retries": 0,
            "timeout": httpx2.Timeout(silence_s, connect=CONNECT_S),
            "default_headers": headers,
        }

    def _async_sdk(self) -> openai.AsyncOpenAI:
        """Of the running loop: connections belong to one."""
        loop = asyncio.get_running_loop()
        if loop not in self._async_sdks:
            http = openai.DefaultAsyncHttpx2Client(trust_env=self._trusts_environment, follow_redirects=False)
            self._async_sdks[loop] = _without_environment(openai.AsyncOpenAI(http_client=http, **self._sdk_options()))
        return self._async_sdks[loop]

    # ------------------------------------------------------------ one question

    def ask(self, question: str | Question, *images: ImageSource, **options: Unpack[Options]) -> Answer:
        """The whole answer: `client.ask("Is there a fracture?", "film.dcm", view=View(preset="bone"))`"""
        body = asked(question, images, options).body(self.model)
        return _answer(self._post(CHAT, body))

    async def aask(self, question: str | Question, *images: ImageSource, **options: Unpack[Options]) -> Answer:
        """As `ask`."""
        body = await self._abody(asked(question, images, options))
        return _answer(await self._apost(CHAT, body))

    def stream(self, question: str | Question, *images: ImageSource, **options: Unpack[Options]) -> AnswerStream:
        """The answer's text, as it comes. It is asked again before the first piece where it must, never after it."""
        body = asked(question, images, options).body(self.model)
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        return AnswerStream(
            self._retrying.call(
                lambda: self.sdk.post(CHAT, body=body, cast_to=object, stream=True, stream_cls=openai.Stream[object])
            )
        )

    def choices(
        self, question: str | Question, choices: Sequence[str], *images: ImageSource, **options: Unpack[Options]
    ) -> Choices:
        """How probable each of 2 to 26 answers is: `client.choices("A fracture?", ["yes", "no"], "film.dcm")`"""
        body = replace(asked(question, images, options), choices=choices).body(self.model)
        return _choices(self._post(CHOICES, body))

    # ------------------------------------------------------------ many questions

    def map(self, questions: Iterable[Question], *, concurrency: int = 4) -> Generator[Outcome, None, None]:
        """Ask them all, so many at a time; what becomes of each comes as soon as it is known, in any order.

        An image is read when its question's turn comes. Questions go on while the caller is at work on an answer.
        """

        async def run() -> AsyncGenerator[Outcome, None]:
            try:
                async for outcome in self.amap(questions, concurrency=concurrency):
                    yield outcome
            finally:
                await self.aclose()

        return in_thread(run)

    async def amap(
        self, questions: Iterable[Question], *, concurrency: int = 4, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """As `map`. stop: once it is set no further question is asked, and none again; those in flight are finished."""
        waiting = enumerate(questions)
        running: set[asyncio.Task[Outcome]] = set()
        try:
            while True:
                while len(running) < concurrency and not (stop is not None and stop.is_set()):
                    if (begun := next(waiting, None)) is None:
                        break
                    running.add(asyncio.create_task(self._outcome(*begun, stop)))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _outcome(self, index: int, question: Question, stop: asyncio.Event | None) -> Outcome:
        try:
            body = await self._abody(question)
            if question.choices:
                return Outcome(index, answer=_choices(await self._apost(CHOICES, body, stop)))
            return Outcome(index, answer=_answer(await self._apost(CHAT, body, stop)))
        except HuatuoError as error:
            return Outcome(index, error=error)
        except (KeyError, TypeError, ValueError) as error:
            # Of this question alone: the others go on.
            return Outcome(index, error=HuatuoError(f"The question cannot be asked so: {type(error).__name__}."))

    # ------------------------------------------------------------ the server

    def models(self) -> list[Model]:
        """What is served: one model."""
        reply = self._get("/models")
        with of_its_shape():
            return [Model.of_json(one) for one in reply.told["data"]]

    @property
    def model(self) -> str:
        """What requests call the model."""
        if self._model is None:
            served = self.models()
            if not served:
                raise AnswerBroken("The server serves no model.")
            self._model = served[0].id
        return self._model

    def health(self) -> Health:
        """Whether a question would be taken now; asked once. Raises Unreachable."""
        try:
            told = self.sdk.get(f"{self.base_url}/health/ready", cast_to=object)
        except openai.InternalServerError as error:
            if not isinstance(error.body, dict) or "phase" not in error.body:
                raise known_error(error) from error
            return Health.of_json(error.body, ready=False)
        except openai.APIError as error:
            raise known_error(error) from error
        with of_its_shape():
            return Health.of_json(cast("Mapping[str, Any]", told), ready=True)

    def render(
        self,
        image: ImageSource,
        view: View | None = None,
        *,
        size: int | Literal["model"] = "model",
        format: Literal["png", "gray16"] = "png",  # noqa: A002  the wire's word
    ) -> Rendering:
        """The image as the model sees it; or, with a size in pixels of the longer side, as a page shows it.

        format: `png`, or `gray16` for the values before any window.
        """
        part = image_part(image, view)
        told = self._post("/images/render", {"image": part, "size": size, "format": format}).told
        with of_its_shape():
            return Rendering.of_json(told)

    # ------------------------------------------------------------ the wire

    def _get(self, path: str) -> _Reply:
        return _Reply.of(self._retrying.call(lambda: self.sdk.get(path, cast_to=httpx2.Response)))

    def _post(self, path: str, body: Mapping[str, Any]) -> _Reply:
        return _Reply.of(self._retrying.call(lambda: self.sdk.post(path, body=body, cast_to=httpx2.Response)))

    async def _apost(self, path: str, body: Mapping[str, Any], stop: asyncio.Event | None = None) -> _Reply:
        sdk = self._async_sdk()
        return _Reply.of(await self._retrying.acall(lambda: sdk.post(path, body=body, cast_to=httpx2.Response), stop))

    async def _abody(self, question: Question) -> dict[str, Any]:
        """In a thread: it reads files."""
        return await asyncio.to_thread(lambda: question.body(self.model))

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Close the connections of what is not asynchronous."""
        self.sdk.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        sdk = self._async_sdks.pop(asyncio.get_running_loop(), None)
        if sdk is not None:
            await sdk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Reply:
    """A body of JSON, and what the server's log calls the request."""

    told: Mapping[str, Any]
    request_id: str | None

    @classmethod
    def of(cls, response: httpx2.Response) -> _Reply:
        """Raises AnswerBroken where it is none of a huatuo-server's."""
        try:
            told = response.json()
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise AnswerBroken("What came is no JSON object: is it a huatuo-server that listens there?")
        return cls(told, response.headers.get("x-request-id"))


def _answer(reply: _Reply) -> Answer:
    with of_its_shape():
        return Answer.of_json(reply.told, request_id=reply.request_id)


def _choices(reply: _Reply) -> Choices:
    with of_its_shape():
        return Choices.of_json(reply.told, request_id=reply.request_id)


def _without_environment(sdk: Sdk) -> Sdk:
    """What the environment has for OpenAI's own servers, a gateway's secret perhaps, is not for this one."""
    sdk.organization = sdk.project = None
    sdk._custom_headers = {name: value for name, value in sdk._custom_headers.items() if name == TIMEOUT_HEADER}
    return sdk


def _key(given: str | None) -> str:
    """Without the line break that a file ends with. Raises ValueError, which does not quote it."""
    key = (given or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the API key holds what no header can: copy it once more")
    return key


def _root(base_url: str) -> str:
    root = base_url.rstrip("/").removesuffix("/v1")
    if urlsplit(root).scheme not in ("http", "https") or not urlsplit(root).hostname:
        raise ValueError("the base URL is that of the server, such as http://127.0.0.1:8000")
    return root


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
