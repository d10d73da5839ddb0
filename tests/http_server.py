"""HTTP server: the doors on a real socket of this machine, for clients that need one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from serving.app import build
from serving.front import Front


@contextmanager
def served(front: Front) -> Iterator[str]:
    """Where the doors of a front answer, such as http://127.0.0.1:40123."""
    config = uvicorn.Config(build(front), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # who comes before the server is up waits
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
