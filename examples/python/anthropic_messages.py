"""Anthropic's client, traced by an instrumentor, with a tool of our own."""

import anthropic
import model
from aitrace import Tracer
from openinference.instrumentation.anthropic import AnthropicInstrumentor

tracer = Tracer(project="examples")
AnthropicInstrumentor().instrument(tracer_provider=tracer.provider)
TOOL = {"name": "weather", "description": "The weather of a city", "input_schema": {"type": "object"}}


@tracer.trace(event_type="tool")
def weather(city: str) -> str:
    return f"sunny in {city}"


@tracer.trace(event_type="chain")
def agent(client: anthropic.Anthropic, question: str) -> str:
    messages: list = [{"role": "user", "content": question}]
    while True:
        answer = client.messages.create(model="claude-local", max_tokens=100, messages=messages, tools=[TOOL])
        if answer.stop_reason != "tool_use":
            return answer.content[0].text
        call = answer.content[0]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)}
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]


with model.serve() as url, anthropic.Anthropic(base_url=url, api_key="local") as client:
    print(agent(client, "How is the weather in Paris?"))
tracer.shutdown()
