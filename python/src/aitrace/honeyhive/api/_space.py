"""What namespaces of the client have in common."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aitrace.honeyhive.models._answers import ANSWERS
from aitrace.honeyhive.models._base import Answer, Model, plain

if TYPE_CHECKING:
    from aitrace.honeyhive.api._http import Transport

Request = Model | Mapping[str, Any]


class Space:
    """A namespace. Each public method gets a twin ``…_async``, which works on a thread of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, member in list(vars(cls).items()):
            if inspect.isfunction(member) and not name.startswith("_"):
                twin = _twin(member)
                twin.__name__ = f"{name}_async"
                setattr(cls, twin.__name__, twin)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def _call(self, method: str, path: str, name: str, **options: Any) -> Any:
        return self._transport.request(method, path, name=name, **options)

    def _ask(self, method: str, path: str, name: str, **options: Any) -> Answer:
        said = self._call(method, path, name, **options)
        made = ANSWERS.get(name, Answer)
        return made(**said) if isinstance(said, dict) else made(value=said)


def _twin(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def twin(self: Space, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(method, self, *args, **kwargs)

    return twin


def body_of(request: Request, *, without: str | None = None) -> dict[str, Any]:
    """A request as the server takes it: what is None was not given."""
    members = request.model_dump() if isinstance(request, Model) else dict(request)
    return {key: plain(value) for key, value in members.items() if value is not None and key != without}


def under(key: str, request: Request) -> dict[str, Any]:
    """A request under its key, where it does not stand there yet."""
    members = body_of(request)
    inner = members.get(key)
    return members if isinstance(inner, Mapping) else {key: members}
