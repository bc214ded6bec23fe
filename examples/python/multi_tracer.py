"""Two tracers in one process share nothing: each span carries its own tracer's project and session."""

import aitrace
from aitrace import Tracer

support = Tracer(project="support", session_name="a", target="memory")
billing = Tracer(project="billing", session_name="b", target="memory")


@billing.trace(event_type="tool")
def charge(amount: int) -> bool:
    # A method never lands in another tracer's span; here it finds billing's.
    return bool(billing.enrich_span(metrics={"amount": amount}))


@support.trace(event_type="chain")
def handle() -> None:
    charge(10)
    # A free function (the older pattern) finds the tracer of the span it stands in.
    aitrace.enrich_span(metadata={"handled": True})


handle()
for tracer in (support, billing):
    for span in tracer.spans():
        print(span.project, span.name, span.metadata or span.metrics)
(outer,), (inner,) = support.spans(), billing.spans()
print("nested:", inner.parent_span_id == outer.span_id)
