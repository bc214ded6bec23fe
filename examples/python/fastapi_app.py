"""A FastAPI service: the caller's trace goes on in the service, over the W3C headers."""

from aitrace import Tracer
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

tracer = Tracer(project="examples", source="prod", service="orders")
app = FastAPI()


@app.middleware("http")
async def traced(request: Request, call_next):
    # Of the headers only the parent span and four keys are taken, never project or session.
    with tracer.extract_context(request.headers):
        with tracer.start_span(f"{request.method} {request.url.path}", event_type="chain") as span:
            response = await call_next(request)
            span.set_attribute("http.response.status_code", response.status_code)
            return response


@app.get("/orders/{order}")
@tracer.trace(event_type="tool")
async def order(order: int) -> dict[str, object]:
    return {"order": order, "status": "delivered"}


with TestClient(app) as client, tracer.start_span("caller") as caller:
    headers = tracer.inject_context({})
    print(client.get("/orders/7", headers=headers).json())
    print(headers["traceparent"].split("-")[1] == caller.trace_id)
tracer.shutdown()
