"""OpenAI's client, traced by an instrumentor: its spans nest under ours."""

import model
import openai
from aitrace import Tracer
from openinference.instrumentation.openai import OpenAIInstrumentor

tracer = Tracer(project="examples")
# Any OpenTelemetry instrumentor takes a provider; the global one is left alone.
OpenAIInstrumentor().instrument(tracer_provider=tracer.provider)


@tracer.trace(event_type="chain")
def ask(client: openai.OpenAI, question: str) -> str:
    stream = client.chat.completions.create(
        model="gpt-5",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},  # without it a stream tells no tokens
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


with model.serve() as url, openai.OpenAI(base_url=url + "/v1", api_key="local") as client:
    print(ask(client, "What is the capital of France?"))
tracer.shutdown()
