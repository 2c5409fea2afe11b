"""Quotas: what a key may use a minute and at once, what it is told, and what it gets back."""

from __future__ import annotations

import math
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.errors import RateLimited
from huatuo_server.tenants.key import Key
from huatuo_server.tenants.quota import Bucket, Quotas, Use, openai_duration
from tests.server.tenants.keys import key


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quotas(clock: Clock) -> Quotas:
    return Quotas(clock)


def asked(quotas: Quotas, key: Key, *, tokens: int = 0, used: int | None = None, images: int = 0) -> dict[str, str]:
    """One request from beginning to end; returns the headers of its answer."""
    with quotas.begin(key) as use:
        use.images(images)
        use.tokens(tokens)
        headers = use.headers()
        if used is not None:
            use.used(used)
    return headers


def refused(quotas: Quotas, key: Key, *, tokens: int = 0, images: int = 0) -> RateLimited:
    with pytest.raises(RateLimited) as error:
        asked(quotas, key, tokens=tokens, images=images)
    return error.value


def test_a_key_without_limits_may_do_anything(quotas: Quotas) -> None:
    """And so may who is asked for none; no header speaks of limits that do not exist."""
    for who in (key(), None):
        with ExitStack() as stack:
            uses = [stack.enter_context(quotas.begin(who)) for _ in range(1000)]
            uses[0].tokens(10**9)
            uses[0].images(10**9)
            assert uses[0].headers() == {}


def test_unlimited_is_nobodys(quotas: Quotas) -> None:
    """What stands in for a use until it is known whose it is."""
    use = quotas.unlimited
    use.tokens(10**9)
    use.used(1)

    assert use.headers() == {}


def test_requests_a_minute(quotas: Quotas, clock: Clock) -> None:
    """As many at once as in a minute, then one each time another has leaked out; others are not touched."""
    limited = key(1, requests_per_min=3)
    for _ in range(3):
        asked(quotas, limited)

    error = refused(quotas, limited)

    assert (error.status, error.code, error.reason) == (429, "rate_limit_exceeded", "requests_per_min")
    assert error.headers["Retry-After"] == "20"
    asked(quotas, key(2, requests_per_min=3))
    clock.now += 19.9
    refused(quotas, limited)
    clock.now += 0.1
    asked(quotas, limited)
    refused(quotas, limited)


def test_requests_at_once(quotas: Quotas) -> None:
    """The one too many is refused, and the place is free again however a request ends."""
    limited = key(max_concurrent=2, requests_per_min=100)

    with quotas.begin(limited), quotas.begin(limited) as use:
        error = refused(quotas, limited)
        before = use.headers()["x-ratelimit-remaining-requests"]
    with pytest.raises(RuntimeError), quotas.begin(limited):
        raise RuntimeError

    assert error.reason == "max_concurrent"
    assert error.headers["Retry-After"] == "1"
    assert before == "98"
    with quotas.begin(limited), quotas.begin(limited):
        refused(quotas, limited)


def test_tokens_are_reserved_and_the_rest_is_given_back(quotas: Quotas) -> None:
    """While a request runs it counts with all it may use, afterwards with what it used."""
    limited = key(tokens_per_min=1000)

    with quotas.begin(limited) as use:
        use.tokens(900)
        assert use.headers()["x-ratelimit-remaining-tokens"] == "100"
        error = refused(quotas, limited, tokens=101)
        use.used(250)

    assert (error.reason, error.headers["Retry-After"]) == ("tokens_per_min", "1")
    assert asked(quotas, limited)["x-ratelimit-remaining-tokens"] == "750"


def test_a_request_of_which_nothing_is_reported_costs_no_tokens(quotas: Quotas) -> None:
    """One that was refused or failed after its tokens were reserved gets all of them back."""
    limited = key(tokens_per_min=1000)

    asked(quotas, limited, tokens=900)

    assert asked(quotas, limited)["x-ratelimit-remaining-tokens"] == "1000"


def test_what_was_used_may_be_reported_after_the_end(quotas: Quotas) -> None:
    """The books of a request are closed when all else of it is over."""
    limited = key(tokens_per_min=1000)
    with quotas.begin(limited) as use:
        use.tokens(900)
    use.used(300)

    assert asked(quotas, limited)["x-ratelimit-remaining-tokens"] == "700"


def test_images_a_minute(quotas: Quotas, clock: Clock) -> None:
    """Counted one by one; a request of text has none of them to wait for."""
    limited = key(images_per_min=6)
    asked(quotas, limited, images=4)

    error = refused(quotas, limited, images=3)

    assert (error.reason, error.headers["Retry-After"]) == ("images_per_min", "10")
    asked(quotas, limited, images=2)
    asked(quotas, limited, images=0)
    clock.now += 10
    asked(quotas, limited, images=1)


def test_a_refused_request_takes_nothing_more(quotas: Quotas) -> None:
    """Neither the images nor the tokens that it was refused for; its one request it has had."""
    limited = key(requests_per_min=100, tokens_per_min=1000, images_per_min=6)
    asked(quotas, limited, tokens=600, used=600, images=3)

    refused(quotas, limited, images=4)
    refused(quotas, limited, tokens=500)

    headers = asked(quotas, limited, tokens=400, images=3)
    assert headers["x-ratelimit-remaining-tokens"] == "0"
    assert headers["x-ratelimit-remaining-requests"] == "96"


@pytest.mark.parametrize(("given", "noun"), [({"tokens": 1001}, "tokens"), ({"images": 1001}, "images")])
def test_what_can_never_fit_is_told_so(quotas: Quotas, given: dict[str, int], noun: str) -> None:
    """Waiting is no help: no Retry-After, and the header that keeps OpenAI's SDKs from asking again."""
    error = refused(quotas, key(tokens_per_min=1000, images_per_min=1000), **given)

    assert "never fits" in error.message
    assert f"1000 {noun} a minute" in error.message
    assert "Retry-After" not in error.headers
    assert error.headers["x-should-retry"] == "false"


def test_the_headers_are_openais(quotas: Quotas, clock: Clock) -> None:
    """Limit, what remains, and when all of it will be there again; of those limits that exist, also on a refusal."""
    limited = key(requests_per_min=60, tokens_per_min=6000)
    asked(quotas, limited, tokens=6000, used=6000)
    clock.now += 0.75

    error = refused(quotas, limited, tokens=5000)

    assert {name: value for name, value in error.headers.items() if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "58",
        "x-ratelimit-reset-requests": "1.25s",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "75",
        "x-ratelimit-reset-tokens": "59.25s",
    }
    assert error.headers["Retry-After"] == str(math.ceil(50 - 0.75))
    assert asked(quotas, key(2, requests_per_min=1)).keys() == {
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    }


def test_new_limits_hold_at_once_and_what_was_used_stays_used(quotas: Quotas) -> None:
    """The key's id keeps its account through a reload of the file; so do requests that run meanwhile."""
    asked(quotas, key(tokens_per_min=1000), tokens=800, used=800)

    with quotas.begin(key(tokens_per_min=2000, max_concurrent=1)) as use:
        assert use.headers()["x-ratelimit-remaining-tokens"] == "1200"
        assert refused(quotas, key(tokens_per_min=2000, max_concurrent=1)).reason == "max_concurrent"
    assert asked(quotas, key(tokens_per_min=500))["x-ratelimit-remaining-tokens"] == "0"
    assert asked(quotas, key()) == {}
    assert asked(quotas, key(tokens_per_min=500))["x-ratelimit-remaining-tokens"] == "500"


def test_a_lower_limit_makes_nobody_wait_for_more_than_a_minute(quotas: Quotas) -> None:
    """What was used under a higher one counts for no more than the new one's whole."""
    asked(quotas, key(tokens_per_min=1_000_000), tokens=1_000_000, used=1_000_000)

    assert refused(quotas, key(tokens_per_min=10), tokens=10).headers["Retry-After"] == "60"


STEPS = st.lists(
    st.tuples(st.floats(0, 30), st.integers(0, 120), st.floats(0, 1), st.floats(0, 20)), min_size=1, max_size=40
)


@given(st.integers(1, 100), STEPS)
def test_no_window_holds_more_than_its_share(limit: int, steps: list[tuple[float, int, float, float]]) -> None:
    """In any time of t seconds the requests that began use at most limit * (1 + t / 60) tokens, whatever they reserve,
    use and when they end; and who waits as long as he is told gets in.
    """
    clock = Clock()
    quotas = Quotas(clock)
    limited = key(tokens_per_min=limit)
    begun: list[tuple[float, int]] = []

    for pause_s, reserve, fraction, runs_s in steps:
        clock.now += pause_s
        with quotas.begin(limited) as use:
            try:
                use.tokens(reserve)
            except RateLimited as error:
                if "x-should-retry" not in error.headers:
                    clock.now += error.retry_after_s
                    use.tokens(reserve)
                else:
                    assert reserve > limit
                    continue
            begun.append((clock.now, int(reserve * fraction)))
            clock.now += runs_s
            use.used(int(reserve * fraction))

    for first, (start, _) in enumerate(begun):
        for last in range(first, len(begun)):
            window_s = begun[last][0] - start
            assert sum(used for _, used in begun[first : last + 1]) <= limit * (1 + window_s / 60) + 1e-3


def test_a_bucket_that_nobody_uses_is_full_and_no_fuller(clock: Clock) -> None:
    """An hour's rest saves nothing up."""
    bucket = Bucket(clock)
    bucket.resize(10)
    clock.now += 3600

    assert bucket.remaining == 10
    assert bucket.wait_s(10) == 0
    assert bucket.wait_s(11) == math.inf


def test_a_use_may_take_tokens_more_than_once(quotas: Quotas) -> None:
    """All of it is reserved, and the rest of all of it is given back."""
    limited = key(tokens_per_min=1000)

    with quotas.begin(limited) as use:
        assert isinstance(use, Use)
        use.tokens(300)
        use.tokens(300)
        use.used(100)

    assert asked(quotas, limited)["x-ratelimit-remaining-tokens"] == "900"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "1ms"),
        (0.12, "120ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (90.5, "1m30.5s"),
        (59.123, "59.123s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    """Milliseconds below a second, minutes above one; rounded up, so that nobody comes too early."""
    assert openai_duration(seconds) == text
