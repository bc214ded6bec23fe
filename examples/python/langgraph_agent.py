"""A LangGraph graph, traced by an instrumentor below one span of ours."""

import model
from aitrace import Tracer
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from openinference.instrumentation.langchain import LangChainInstrumentor

tracer = Tracer(project="examples")
LangChainInstrumentor().instrument(tracer_provider=tracer.provider)


def build(url: str):
    chat = ChatOpenAI(model="gpt-5", base_url=url + "/v1", api_key="local")

    def answer(state: MessagesState) -> dict:
        return {"messages": [chat.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile()


with model.serve() as url, tracer.start_span("agent", event_type="chain", kind="agent") as span:
    state = build(url).invoke({"messages": [{"role": "user", "content": "Capital of France?"}]})
    text = state["messages"][-1].content
    span.enrich(outputs=text)
    print(text)
tracer.shutdown()
