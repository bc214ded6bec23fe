"""A LangGraph agent under OpenInference's instrumentor: its spans and our tools stand under our agent."""

import asyncio
import warnings

import pytest


@pytest.fixture
def graph(model_url):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_openai import ChatOpenAI
        from langgraph.graph import END, START, MessagesState, StateGraph

    model = ChatOpenAI(model="gpt-5", base_url=model_url + "/v1", api_key="k", max_retries=0)

    def build(tool):
        def answer(state):
            return {"messages": [model.invoke(state["messages"])]}

        async def answer_async(state):
            return {"messages": [await model.ainvoke(state["messages"])]}

        from langchain_core.runnables import RunnableLambda

        builder = StateGraph(MessagesState)
        builder.add_node("look_up", tool)
        builder.add_node("answer", RunnableLambda(answer, answer_async))
        builder.add_edge(START, "look_up")
        builder.add_edge("look_up", "answer")
        builder.add_edge("answer", END)
        return builder.compile()

    return build


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_graph(record, graph, asynchronous):
    tracer = record("openinference.instrumentation.langchain", "LangChainInstrumentor")

    @tracer.trace(event_type="tool")
    def look_up(state):
        return {"messages": [{"role": "system", "content": "be brief"}]}

    @tracer.trace(event_type="chain")
    def agent(question):
        app = graph(look_up)
        messages = {"messages": [{"role": "user", "content": question}]}
        done = asyncio.run(app.ainvoke(messages)) if asynchronous else app.invoke(messages)
        return done["messages"][-1].content

    assert agent("capital?") == "Paris is the capital of France."
    spans = {span.name: span for span in tracer.spans()}
    assert len({span.trace_id for span in spans.values()}) == 1
    assert spans["LangGraph"].parent_span_id == spans["agent"].span_id
    assert spans["answer"].parent_span_id == spans["LangGraph"].span_id
    call = spans["ChatOpenAI"]
    assert (call.kind, call.event_type) == ("llm", "model")
    assert (call.input_tokens, call.output_tokens) == (12, 7)
    assert spans["agent"].outputs == "Paris is the capital of France."
    # The instrumentor makes none of its spans current: what a node calls stands beside its span, not below.
    (tool,) = (
        span
        for span in spans_of(tracer, "look_up")
        if span.event_type == "tool" and span.code.line > 0 and "look_up" in span.code.function
    )
    assert tool.parent_span_id == spans["agent"].span_id


def spans_of(tracer, name):
    return [span for span in tracer.spans() if span.name.split(".")[-1] == name]
