"""A session groups the traces of one conversation."""

from aitrace import Tracer

tracer = Tracer(project="examples", session_name="support chat")
first = tracer.session_id


@tracer.trace(event_type="chain")
def turn(text: str) -> str:
    return text.upper()


turn("hello")
turn("where is my order?")
# What is known of the whole conversation goes to the session.
tracer.enrich_session(metadata={"customer": 7}, feedback={"rating": 5}, user_properties={"plan": "gold"})

# A new session for the next conversation of the same tracer.
second = tracer.create_session("next chat")
turn("hi again")
print(first != second, tracer.session_id == second, tracer.session_name)
tracer.shutdown()
