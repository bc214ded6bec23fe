"""A support agent, traced: plan, retrieve, chat with tools, answer; a sub-agent on another thread.

    python main.py                 one question, then exit
    python main.py --every 20      a question each 20 seconds, until Ctrl-C
    python main.py --pace 0.02     seconds between two streamed words

Spans go to AITRACE_SERVER_URL, else to http://localhost:8000. The OpenAI client is real, and so is its
OpenTelemetry instrumentation; the model behind it is ``model_stub.py``.
"""

import argparse
import contextvars
import json
import logging
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import aitrace
import openai
import structlog
from aitrace import Tracer
from model_stub import ModelStub
from openinference.instrumentation.openai import OpenAIInstrumentor

MODEL = "gpt-4o-mini"
QUESTION = "My desk lamp (order 1042) arrived broken. What can I do?"
ARTICLES = {
    "damaged": "What to do when goods arrive damaged or broken",
    "returns": "How to return an item within thirty days",
    "invoices": "Where to find the invoice of an order",
}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "lookup_order",
            "description": "Status and contents of an order",
            "parameters": {"type": "object", "properties": {"order_id": {"type": "integer"}}},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "check_warehouse",
            "description": "Stock of an article",
            "parameters": {"type": "object", "properties": {"sku": {"type": "string"}}},
        },
    },
]


class SupportAgent:
    """Answers one question; every step is a span."""

    def __init__(self, tracer: Tracer, client: openai.OpenAI) -> None:
        self.tracer = tracer
        self.client = client
        self.log = structlog.get_logger("agent")  # trace records on stdout
        self.notes = logging.getLogger("agent")  # log records in the trace
        self.pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="sub-agent")

    def answer(self, question: str) -> str:
        """The whole run: the root of the trace."""
        with self.tracer.start_span("support-agent", event_type="chain", kind="agent") as span:
            span.enrich(inputs={"question": question}, user_properties={"plan": "pro"})
            self.log.info("question received", length=len(question))
            policy = self.ask_researcher(question)
            plan = self.plan(question)
            articles = self.retrieve(question)
            answer = self.chat(question, f"Steps: {plan} Articles: {json.dumps(articles)}", policy)
            span.enrich(
                outputs={"answer": answer}, metrics={"articles": len(articles)}, feedback={"helpful": True}
            )
            self.log.info("question answered", words=len(answer.split()))
            return answer

    def ask_researcher(self, question: str) -> "Future[str]":
        """Starts the sub-agent on a thread; the copied context makes its spans ours."""
        return self.pool.submit(contextvars.copy_context().run, self.research, question)

    def research(self, question: str) -> str:
        """The sub-agent."""
        with self.tracer.start_span("policy-researcher", event_type="chain", kind="agent") as span:
            answer = self.client.chat.completions.create(
                model=MODEL,
                messages=[
                    {"role": "system", "content": "You quote the policy that applies."},
                    {"role": "user", "content": question},
                ],
            )
            text = answer.choices[0].message.content or ""
            span.enrich(outputs={"policy": text})
            return text

    def plan(self, question: str) -> str:
        """Asks the model for steps."""
        with self.tracer.start_span("plan", event_type="chain"):
            answer = self.client.chat.completions.create(
                model=MODEL,
                messages=[
                    {"role": "system", "content": "You plan the steps of a support case."},
                    {"role": "user", "content": question},
                ],
                temperature=0.2,
            )
            return answer.choices[0].message.content or ""

    def retrieve(self, question: str) -> list[dict[str, Any]]:
        """Finds the nearest articles by their embeddings."""
        with self.tracer.start_span("retrieve", event_type="tool", kind="retriever") as span:
            texts = [question, *ARTICLES.values()]
            answer = self.client.embeddings.create(model="text-embedding-3-small", input=texts)
            wanted, *others = [one.embedding for one in answer.data]
            scored = [
                {
                    "id": key,
                    "title": ARTICLES[key],
                    "score": sum(a * b for a, b in zip(wanted, other, strict=True)),
                }
                for key, other in zip(ARTICLES, others, strict=True)
            ]
            best = sorted(scored, key=lambda article: -float(str(article["score"])))[:2]
            self.notes.info("articles ranked", extra={"best": best[0]["id"]})
            span.enrich(inputs={"query": question}, outputs={"documents": best}, metrics={"hits": len(best)})
            return best

    def chat(self, question: str, brief: str, policy: "Future[str]") -> str:
        """Streams the conversation and calls the tools that the model asks for."""
        with self.tracer.start_span("converse", event_type="chain"):
            messages: list[Any] = [
                {"role": "system", "content": f"You are a support agent. {brief}"},
                {"role": "user", "content": question},
            ]
            while True:
                text, calls = self.stream(messages)
                if not calls:
                    return text
                messages.append({"role": "assistant", "content": text or None, "tool_calls": calls})
                for call in calls:
                    messages.append(
                        {"role": "tool", "tool_call_id": call["id"], "content": self.call_tool(call)}
                    )
                messages.append({"role": "system", "content": f"Apply this rule: {policy.result()}"})

    def stream(self, messages: list[Any]) -> tuple[str, list[Any]]:
        """One streamed turn: its text and its tool calls."""
        text, calls = "", []
        stream = self.client.chat.completions.create(
            model=MODEL, messages=messages, tools=TOOLS, stream=True, stream_options={"include_usage": True}
        )
        for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                calls += [
                    call.model_dump(exclude={"index"}) for call in chunk.choices[0].delta.tool_calls or []
                ]
        return text.strip(), calls

    def call_tool(self, call: dict[str, Any]) -> str:
        """Runs a tool; what fails is told to the model, as agents do."""
        function = call["function"]
        tool = {"lookup_order": lookup_order, "check_warehouse": check_warehouse}[function["name"]]
        try:
            return json.dumps(tool(**json.loads(function["arguments"])))
        except Exception as error:
            self.notes.warning("tool failed", extra={"tool": function["name"], "reason": str(error)})
            return json.dumps({"error": str(error)})


@aitrace.trace(event_type="tool")
def lookup_order(order_id: int) -> dict[str, Any]:
    """A tool that works."""
    time.sleep(0.05)
    aitrace.enrich_span(metadata={"source": "orders-db"}, metrics={"rows": 1})
    return {"order_id": order_id, "item": "Desk lamp", "price": 49.90, "delivered_days_ago": 9}


@aitrace.trace(event_type="tool")
def check_warehouse(sku: str) -> dict[str, Any]:
    """A tool that fails: the warehouse does not answer."""
    time.sleep(0.1)
    raise TimeoutError(f"warehouse did not answer for {sku} within 100 ms")


def main() -> int:
    """Parses the arguments and runs."""
    parser = argparse.ArgumentParser(description="A small traced support agent.")
    parser.add_argument("--every", type=float, default=0.0, help="ask again each so many seconds")
    parser.add_argument("--pace", type=float, default=0.05, help="seconds between two streamed words")
    arguments = parser.parse_args()
    stub = ModelStub(arguments.pace)
    tracer = Tracer(project="demo", source="dev", session_name="support demo")
    aitrace.setup_logging()
    notes = logging.getLogger("agent")
    notes.addHandler(aitrace.LogHandler())
    notes.setLevel(logging.INFO)
    notes.propagate = False
    OpenAIInstrumentor().instrument(tracer_provider=tracer.provider)
    agent = SupportAgent(tracer, openai.OpenAI(base_url=stub.url, api_key="local"))
    try:
        while True:
            print(agent.answer(QUESTION), file=sys.stderr)
            if not arguments.every:
                break
            time.sleep(arguments.every)
    except KeyboardInterrupt:
        pass
    sent = tracer.flush()
    tracer.shutdown()
    stub.close()
    if not sent.ok:
        print(f"not everything was sent: {sent}", file=sys.stderr)
    return 0 if sent.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
