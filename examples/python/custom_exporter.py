"""An exporter of one's own: it takes finished spans, from a thread that never holds the program up."""

from collections.abc import Sequence

from aitrace import FinishedSpan, Tracer


class Table:
    """Prints a line for each span. What it requests itself is never traced."""

    def export(self, spans: Sequence[FinishedSpan]) -> bool:
        for span in spans:
            print(f"{span.name:8} {span.kind:5} {span.status:5} {span.inputs}")
        return True


tracer = Tracer(project="examples", exporter=Table())


@tracer.trace(event_type="tool")
def double(n: int) -> int:
    return 2 * n


double(21)
assert tracer.flush().ok
tracer.shutdown()
