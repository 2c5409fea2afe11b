"""The program of one image worker: reads jobs from a socket, decodes what strangers sent, and answers with pixels.

`python -m huatuo_server.images.worker FD MEMORY_BYTES CPU_S`. It is the one place where a client's bytes meet a
decoder, so it is given no secret, may be killed at any time, and is believed only as far as `workers.py` checks its
answers: those are JSON and raw bytes, never pickles. It contains accidents (crashes, bombs, loops). It is no sandbox:
code that took it over would run as the server's user, and it goes on to other requests' images.

A job comes as a pickle (of ours, from our own parent) with the file's descriptor beside it; both messages are preceded
by their lengths.
"""

from __future__ import annotations

import array
import ctypes
import gc
import json
import logging
import os
import pickle
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from huatuo_server.errors import ImageRefused, RequestError
from huatuo_server.images.job import Inspect, Job, Prepare, Render, Reply
from huatuo_server.logs import places, quieten_pictures

JOB_HEAD = struct.Struct("!I")
"""Bytes of the job."""

REPLY_HEAD = struct.Struct("!IQ")
"""Bytes of the JSON, bytes of the payload."""

NICENESS = 10
"""The event loop and the engine come first."""

KEPT_PIXELS = 2_000_000
"""A picture of as many leaves its memory to the next one, some 10 MB: to map a small one's anew took a millisecond."""

LIBC = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
EXPENDABLE = "1000"
"""For the kernel: of all processes, end this one first where memory runs out."""


def main(arguments: list[str]) -> None:
    """Answer jobs until the parent closes the socket."""
    fd, memory_bytes, cpu_s = int(arguments[0]), int(arguments[1]), float(arguments[2])
    _confine(memory_bytes)
    tasks = _tasks()
    # From here on the only stray output is a decoder's own (libtiff's), about a client's file.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with socket.socket(fileno=fd) as parent:
        while (received := _receive(parent)) is not None:
            job, file = received
            outcome = _do(tasks, job, file, memory_bytes, cpu_s)
            if _was_large(outcome):
                # Before the answer: with that the next large picture gets its turn, in another worker.
                _give_memory_back()
            _answer(parent, outcome)


def _confine(memory_bytes: int) -> None:
    """Limits that a decoder gone wrong cannot lift."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.nice(NICENESS)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123 - as the kernel's file it is
        score.write(EXPENDABLE)


def _tasks() -> Mapping[type[Job], Callable[[BinaryIO, Any], Reply]]:
    """Imported here, under the limits; DICOM's libraries too, since a first film should not wait for them."""
    from PIL import Image

    from huatuo_server.images import look

    # Our own bounds hold, of which the operator may have raised one.
    Image.MAX_IMAGE_PIXELS = None
    logging.disable(logging.CRITICAL)
    quieten_pictures()
    gc.freeze()
    return {Inspect: look.inspect, Prepare: look.make_picture, Render: look.render}


def _receive(parent: socket.socket) -> tuple[Job, BinaryIO] | None:
    """The next job; None when the parent has gone."""
    head, ancillary, _, _ = parent.recvmsg(JOB_HEAD.size, socket.CMSG_SPACE(array.array("i").itemsize))
    if len(head) < JOB_HEAD.size or not ancillary:
        return None
    fds = array.array("i", ancillary[0][2])
    pickled = bytearray(JOB_HEAD.unpack(head)[0])
    rest = memoryview(pickled)
    while rest:
        rest = rest[parent.recv_into(rest) :]
    job: Job = pickle.loads(pickled)
    return job, os.fdopen(fds[0], "rb")


def _do(
    tasks: Mapping[type[Job], Callable[[BinaryIO, Any], Reply]],
    job: Job,
    file: BinaryIO,
    memory_bytes: int,
    cpu_s: float,
) -> Reply | dict[str, Any]:
    """The job's reply, or what went wrong as JSON. The kernel ends this process where the time is over."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        with file:
            file.seek(0)
            return tasks[type(job)](file, job)
    except RequestError as error:
        return {"error": type(error).__name__, "message": error.message, "param": error.param}
    except MemoryError:
        refused = ImageRefused(
            f"The image needs more memory to decode than --image-memory-bytes allows ({memory_bytes} bytes in all)."
        )
        return {"error": "ImageRefused", "message": refused.message, "param": None}
    except Exception as error:  # noqa: BLE001 - told to the parent, which logs it
        return {"defect": places(error)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(parent: socket.socket, outcome: Reply | dict[str, Any]) -> None:
    said, payload = outcome, b""
    if isinstance(outcome, Reply):
        said, payload = {"facts": outcome.facts, "seconds": dict(outcome.seconds)}, outcome.payload
    text = json.dumps(said).encode()
    parent.sendall(REPLY_HEAD.pack(len(text), len(payload)) + text)
    parent.sendall(payload)


def _was_large(outcome: Reply | dict[str, Any]) -> bool:
    """What failed may have been."""
    if not isinstance(outcome, Reply):
        return True
    return int(outcome.facts["width"]) * int(outcome.facts["height"]) > KEPT_PIXELS


def _give_memory_back() -> None:
    """To the system: a large picture's memory would stay with this process otherwise."""
    LIBC.malloc_trim(0)


if __name__ == "__main__":
    main(sys.argv[1:])
