"""What each key has used of its limits. Counted in this process: replicas know nothing of each other's counts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from huatuo_server.errors import RateLimited
from huatuo_server.tenants.key import Key

MINUTE_S = 60.0

_ROUNDING = 1e-6
"""Of a request, a token or an image: what sums of fractions may be off by."""

Clock = Callable[[], float]


class Quotas:
    """All keys' accounts, by key id: a key whose limits change keeps what it has used.

    For one event loop. clock: seconds, monotonic.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    @contextmanager
    def begin(self, key: Key | None) -> Iterator[Use]:
        """One request, to the end of the block. None, where nobody is asked for a key, has no limits.

        Raises RateLimited, and then takes nothing; its reason is `max_concurrent` or `requests_per_min`.
        """
        account = self._account(key)
        account.enter()
        use = Use(account)
        try:
            yield use
        finally:
            use.end()
            account.leave()

    @property
    def unlimited(self) -> Use:
        """Of nobody's limits."""
        return Use(_Account(self._clock))

    def _account(self, key: Key | None) -> _Account:
        if key is None:
            return _Account(self._clock)
        if key.id not in self._accounts:
            self._accounts[key.id] = _Account(self._clock)
        account = self._accounts[key.id]
        account.adopt(key)
        return account


class Use:
    """What one request takes of its key's limits."""

    def __init__(self, account: _Account) -> None:
        self._account = account
        self._num_tokens = 0
        self._known = False

    def images(self, count: int) -> None:
        """Take so many images, for good. Raises RateLimited, reason `images_per_min`, and then takes nothing."""
        self._account.take_images(count)

    def tokens(self, count: int) -> None:
        """Reserve the most that the request can use: its prompt and max_tokens.

        Raises RateLimited, reason `tokens_per_min`, and then takes nothing.
        """
        self._account.take_tokens(count)
        self._num_tokens += count

    def used(self, count: int) -> None:
        """So many tokens the request has used after all, instead of what it reserved. Also after its end."""
        self._account.tokens.give_back(self._num_tokens - count)
        self._num_tokens = count
        self._known = True

    def end(self) -> None:
        """Gives all of its tokens back where `used` was not told how many they were."""
        if not self._known:
            self.used(0)

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, of the limits that exist."""
        return self._account.headers()


class _Account:
    """One key's buckets, and how many requests it has running."""

    def __init__(self, clock: Clock) -> None:
        self.requests = Bucket(clock)
        self.tokens = Bucket(clock)
        self.images = Bucket(clock)
        self._max_concurrent: int | None = None
        self._num_running = 0

    def adopt(self, key: Key) -> None:
        """Take over the key's limits as they are now."""
        self.requests.resize(key.requests_per_min)
        self.tokens.resize(key.tokens_per_min)
        self.images.resize(key.images_per_min)
        self._max_concurrent = key.max_concurrent

    def enter(self) -> None:
        """Raises RateLimited."""
        if self._max_concurrent is not None and self._num_running >= self._max_concurrent:
            message = f"This key may have {self._max_concurrent} requests at once, and has them: wait until one ends."
            raise self._limited(message, "max_concurrent", 1.0)
        self._take(self.requests, 1, "requests", "This request")
        self._num_running += 1

    def leave(self) -> None:
        """One request less."""
        self._num_running -= 1

    def take_images(self, count: int) -> None:
        """Raises RateLimited."""
        self._take(self.images, count, "images", f"This request with {count} images")

    def take_tokens(self, count: int) -> None:
        """Raises RateLimited."""
        self._take(self.tokens, count, "tokens", f"This request with {count} tokens, its prompt and its max_tokens,")

    def headers(self) -> dict[str, str]:
        """OpenAI's names; images have none there."""
        found = {}
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            if bucket.limit is not None:
                found[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
                found[f"x-ratelimit-remaining-{name}"] = str(bucket.remaining)
                found[f"x-ratelimit-reset-{name}"] = openai_duration(bucket.reset_s)
        return found

    def _take(self, bucket: Bucket, count: int, noun: str, who: str) -> None:
        wait_s = bucket.wait_s(count)
        if wait_s > 0:
            raise self._over(bucket, noun, who, wait_s)
        bucket.take(count)

    def _over(self, bucket: Bucket, noun: str, who: str, wait_s: float) -> RateLimited:
        may = f"this key may have {bucket.limit} {noun} a minute"
        if wait_s < math.inf:
            message = f"{who} fits in {math.ceil(wait_s)} seconds: {may}, and {bucket.remaining} are left of them now."
            return self._limited(message, f"{noun}_per_min", wait_s)
        error = self._limited(f"{who} never fits: {may}.", f"{noun}_per_min", 1.0)
        del error.headers["Retry-After"]
        # OpenAI's SDKs obey it, and else ask again after any 429.
        error.headers["x-should-retry"] = "false"
        return error

    def _limited(self, message: str, reason: str, retry_after_s: float) -> RateLimited:
        error = RateLimited(message, reason=reason, retry_after_s=retry_after_s)
        error.headers.update(self.headers())
        return error


class Bucket:
    """So many a minute, and as many at once: what is used leaks out evenly, and what fits beside the rest goes in.

    In any time t (s), at most limit * (1 + t / 60) go in and stay. limit: None for a bucket that takes everything.
    """

    def __init__(self, clock: Clock) -> None:
        self.limit: int | None = None
        self._clock = clock
        self._at = clock()
        self._used = 0.0

    def resize(self, limit: int | None) -> None:
        """Change the limit; what is used stays used, as far as the new limit goes."""
        if limit == self.limit:
            return
        self._leak()
        self.limit = limit
        self._used = min(self._used, float(limit or 0))

    def wait_s(self, count: int) -> float:
        """Seconds until so many fit: 0 now, infinity never."""
        if self.limit is None:
            return 0.0
        if count > self.limit:
            return math.inf
        self._leak()
        excess = self._used + count - self.limit
        return excess * MINUTE_S / self.limit if excess > _ROUNDING else 0.0

    def take(self, count: int) -> None:
        """Whether they fit or not."""
        self._leak()
        self._used += count if self.limit is not None else 0

    def give_back(self, count: int) -> None:
        """As if they had not been taken; a negative count takes more."""
        self._leak()
        self._used = max(0.0, self._used - count) if self.limit is not None else 0.0

    @property
    def remaining(self) -> int:
        """How many fit now, where there is a limit."""
        self._leak()
        return max(0, math.floor((self.limit or 0) - self._used + _ROUNDING))

    @property
    def reset_s(self) -> float:
        """Seconds until it is empty."""
        self._leak()
        return self._used * MINUTE_S / self.limit if self.limit else 0.0

    def _leak(self) -> None:
        now = self._clock()
        self._used = max(0.0, self._used - (now - self._at) * (self.limit or 0) / MINUTE_S)
        self._at = now


def openai_duration(seconds: float) -> str:
    """As OpenAI's headers have it: 0s, 120ms, 8.64s, 6m0s; rounded up to a millisecond."""
    milliseconds = math.ceil(seconds * 1000 - _ROUNDING)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes}m{rest / 1000:g}s" if minutes else f"{rest / 1000:g}s"
