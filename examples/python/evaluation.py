"""A function judged over a dataset, without a server; the spans of the rows can be enriched."""

from aitrace import evaluate, evaluator

DATASET = [
    {"inputs": {"city": "Paris"}, "ground_truth": "France"},
    {"inputs": {"city": "Rome"}, "ground_truth": "Italy"},
    {"inputs": {"city": "Oslo"}, "ground_truth": "Norway"},
]


def country(datapoint, tracer):
    """A second parameter called ``tracer`` brings the row's own."""
    known = {"Paris": "France", "Rome": "Italy"}
    answer = known.get(datapoint["inputs"]["city"], "unknown")
    tracer.enrich_span(metrics={"known": answer != "unknown"}, metadata={"lookup": "table"})
    return answer


@evaluator
def correct(outputs, inputs, ground_truth):
    return outputs == ground_truth


result = evaluate(country, dataset=DATASET, evaluators=[correct], name="countries", print_results=False)
print(result.status, len(result.passed), "passed,", len(result.failed), "failed")
print("correct:", round(result.metrics["correct"].aggregate, 2))
