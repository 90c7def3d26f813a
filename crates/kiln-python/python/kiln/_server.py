"""The HTTP server, in the background."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import Any

from . import _kiln

#: The keys of the configuration that have a keyword.
_KEYS = {"listen": "server.listen", "store": "store.folder", "token": "server.token", "images": "images.folder"}


class Server:
    """A server that runs until `stop()`, or the end of the process. As a context manager, it stops at the end of the block."""

    def __init__(self, server: _kiln.Server, folder: str | None = None) -> None:
        """`folder` is removed once the server has stopped."""
        self._server = server
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True) if folder else None

    @property
    def url(self) -> str:
        """The URL of the map page. Those of tiles are below it: `{url}NAME/{z}/{x}/{y}.png`."""
        return self._server.url

    @property
    def token(self) -> str | None:
        """The token for writes, if the server made one."""
        return self._server.token

    @property
    def is_running(self) -> bool:
        """Whether the server runs."""
        return self._server.is_running

    def stop(self) -> None:
        """Stops the server after the requests in progress."""
        self._server.stop()
        if self._remove:
            self._remove()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<kiln.Server {self.url}{'' if self.is_running else ', stopped'}>"

    def _repr_html_(self) -> str:
        return f'Kiln serves <a href="{self.url}" target="_blank">{self.url}</a>'


def serve(
    *inputs: str | os.PathLike[str],
    listen: str = "127.0.0.1:0",
    store: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    token: str | None = None,
    images: str | os.PathLike[str] | None = None,
    settings: dict[str, Any] | None = None,
    **keywords: Any,
) -> Server:
    """Serves layers over HTTP in the background, and returns at once.

    `inputs` are files, each a layer named after the file, or `NAME=FILE`; `store` is the folder of stored layers. The default
    of `listen` is a free port, for this machine only. `settings` are keys of the configuration, such as
    `{"limits.max_pixels": 1_000_000}`, and `config` is a file of them. `images` is the folder of rendered pictures; by default,
    a temporary one. The other keywords are the columns and reader options of `render`.
    """
    folder = None
    # Options of the file take effect unless they are given here.
    store = store if store or config else "store"
    if images is None and config is None:
        images = folder = tempfile.mkdtemp(prefix="kiln-")
    given = {"listen": listen, "store": store, "token": token, "images": images}
    pairs = [(_KEYS[name], os.fspath(value)) for name, value in given.items() if value is not None]
    pairs += [(key, _text(value)) for key, value in (settings or {}).items()]
    config = None if config is None else os.fspath(config)
    try:
        server = _kiln.serve([os.fspath(path) for path in inputs], pairs, config, keywords)
    except BaseException:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return Server(server, folder)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
