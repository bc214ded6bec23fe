"""A tracer, a span, a traced function: the primary pattern is the tracer's own methods."""

from aitrace import Tracer

tracer = Tracer(project="examples", source="dev")


@tracer.trace(event_type="tool")
def lookup(order: int) -> dict[str, object]:
    """Arguments and result are recorded as the span's inputs and outputs."""
    tracer.enrich_span(metadata={"shelf": "A7"}, metrics={"hits": 1})
    return {"order": order, "status": "delivered"}


with tracer.start_span("answer", event_type="chain") as span:
    span.set_attribute("channel", "mail")
    print(lookup(1042)["status"])

# Waits until everything is sent, and tells the truth about it.
result = tracer.flush()
print("sent" if result.ok else f"not sent: {result}")
tracer.shutdown()
