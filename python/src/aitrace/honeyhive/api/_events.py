"""Events: creating, changing, exporting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aitrace.honeyhive._errors import APIError, HTTPException
from aitrace.honeyhive.api._space import Request, Space, body_of, under
from aitrace.honeyhive.models import EventExportResponse
from aitrace.honeyhive.models._base import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aitrace.honeyhive.api._http import Transport
    from aitrace.honeyhive.models._base import Answer

_MOST = 7500


class Events(Space):
    """Events: what spans and sessions are here."""

    def __init__(self, transport: Transport, *, export_timeout: float = 300.0) -> None:
        super().__init__(transport)
        self._export_timeout = export_timeout

    def create(self, request: Request) -> Answer:
        """Creates an event; its id is ``event_id``."""
        return self._ask("POST", "/events", "createEvent", body=under("event", request))

    def create_batch(self, data: Request) -> Answer:
        """Creates events together."""
        return self._ask("POST", "/events/batch", "createEventBatch", body=body_of(data))

    def update(self, data: Request) -> None:
        """Changes an event or a session: what is given is merged, outputs are replaced."""
        self._call("PUT", "/events", "updateEvent", body=body_of(data))

    def export(
        self,
        project: str | None = None,
        filters: Sequence[Request] | None = None,
        *,
        date_range: Mapping[str, str] | None = None,
        projections: Sequence[str] | None = None,
        limit: int = 1000,
        page: int = 1,
    ) -> EventExportResponse:
        """Events that match all filters, newest first; at most 7500 a page, pages from 1.

        Raises APIError where the server refuses.
        """
        body: dict[str, Any] = {
            "filters": [_filter(one) for one in filters or ()],
            "limit": min(limit, _MOST),
            "page": page,
        }
        optional = {"project": project, "dateRange": date_range, "projections": projections}
        body.update({key: plain(value) for key, value in optional.items() if value})
        try:
            said = self._call(
                "POST",
                "/v1/events/export",
                "exportEvents",
                body=body,
                repeatable=True,
                timeout=self._export_timeout,
            )
        except HTTPException as error:
            raise APIError(str(error), error.error_response, error) from error
        events = said.get("events") or []
        total = said.get("totalEvents", said.get("count", len(events)))
        return EventExportResponse(events=events, totalEvents=total, total_events=total, count=len(events))

    def get_by_session_id(
        self, session_id: str, project: str | None = None, *, limit: int = 1000
    ) -> EventExportResponse:
        """The events of a session, oldest first."""
        one = {"field": "session_id", "operator": "is", "value": session_id, "type": "string"}
        found = self.export(project, [one], limit=limit)
        found.events.sort(key=lambda event: event.get("start_time") or 0)
        return found

    def list(self, query: Request | None = None, *, data: Request | None = None) -> EventExportResponse:
        """Events as ``export`` gives them, asked for by one object."""
        asked = body_of(query or data or {})
        known = {
            key: asked[key] for key in ("project", "filters", "projections", "limit", "page") if key in asked
        }
        return self.export(**known, date_range=asked.get("date_range") or asked.get("dateRange"))

    def create_event(self, request: Request) -> Answer:
        """The same as ``create``."""
        return self.create(request)

    def update_event(self, data: Request) -> None:
        """The same as ``update``."""
        self.update(data)

    def get_events(self, *args: Any, **options: Any) -> EventExportResponse:
        """The same as ``export``."""
        return self.export(*args, **options)

    def list_events(self, *args: Any, **options: Any) -> EventExportResponse:
        """The same as ``export``."""
        return self.export(*args, **options)


def _filter(one: Request) -> dict[str, Any]:
    """A filter as the server takes it: its value is always text."""
    members = body_of(one)
    value = members.get("value", "")
    if isinstance(value, bool):
        value = "true" if value else "false"
    return {"operator": "is", "type": "string", **members, "value": str(value)}
