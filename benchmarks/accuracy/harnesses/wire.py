"""What a harness really sent, for people: counted, with the pictures compared with those on disk."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.accuracy.harnesses.recorder import Exchange, Record, SentPicture
from benchmarks.accuracy.item import Item


def arrived(items: Sequence[Item], record: Record) -> int:
    """Items whose question got an answer."""
    texts = [one.text for one in record.answered]
    return sum(any(item.question in text for text in texts) for item in items)


def summary(items: Sequence[Item], record: Record) -> str:
    """One fact a line; what differs between requests is counted."""
    chats = record.chats
    lines = [
        f"requests: {_counted(f'{one.path} {one.status}' for one in record.exchanges)}; {record.most_at_once} at once",
        f"fields: {_counted(_fields(one) for one in chats)}",
        f"max_tokens_clamped_to: {_counted(str(one.answer.get('max_tokens_clamped_to')) for one in record.answered)}",
        f"ignored_fields: {_counted(_ignored(record.answered))}",
        f"errors: {_counted(_errors(chats))}",
        f"client: {_counted(one.headers.get('user-agent', '') for one in chats)}",
        f"read timeout: {_counted(one.headers.get('x-stainless-read-timeout', 'not told') for one in chats)}",
        f"pictures: {_counted(_pictures(items, chats))}",
    ]
    first = next(iter(chats), None)
    return "\n".join([*lines, f"the first prompt: {first.text!r}" if first else "no prompt"])


def _fields(one: Exchange) -> str:
    return json.dumps({name: value for name, value in sorted(one.request.items()) if name != "messages"})


def _ignored(answered: Iterable[Exchange]) -> Iterator[str]:
    for one in answered:
        yield from one.answer.get("ignored_fields", [])


def _errors(chats: Iterable[Exchange]) -> Iterator[str]:
    for one in chats:
        if isinstance(error := one.answer.get("error"), dict):
            yield f"{error.get('code')} {error.get('param') or ''}".strip()


def _pictures(items: Sequence[Item], chats: Iterable[Exchange]) -> Iterator[str]:
    """As `grey-png: as on disk`, or what became of it."""
    kinds = {item.question: item.subset for item in items}
    on_disk = {hashlib.sha256(one.read()).hexdigest() for item in items for one in item.pictures}
    for one in chats:
        kind = next((kind for question, kind in kinds.items() if question in one.text), "another question's")
        for sent in one.pictures:
            yield f"{kind}: {'as on disk' if sent.sha256 in on_disk else _changed(sent)}"


def _changed(sent: SentPicture) -> str:
    width, height = sent.size
    turned = f", orientation {sent.orientation}" if sent.orientation != 1 else ""
    return f"{sent.format} {width}x{height} {sent.mode}{turned}"


def _counted(values: Iterable[str]) -> str:
    return ", ".join(f"{value} ({count})" for value, count in sorted(Counter(values).items())) or "none"
