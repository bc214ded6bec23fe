"""The standard library's logging, in the trace: each record stands under the span it was written in."""

import logging

import aitrace
from aitrace import Tracer

tracer = Tracer(project="examples")
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(aitrace.LogHandler())


@tracer.trace(event_type="tool")
def pay(amount: int) -> None:
    log.info("paying", extra={"amount": amount})
    # Or without logging: an event with fields.
    tracer.log("card charged", level="warning", amount=amount, currency="EUR")


pay(20)
print("logged")
tracer.shutdown()
