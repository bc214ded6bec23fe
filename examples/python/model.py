"""A local stand-in for the APIs of OpenAI and Anthropic, so that the examples run anywhere, without a key.

Only the model is played: the clients, the requests and the streams are real.

    with model.serve() as url:
        client = openai.OpenAI(base_url=url + "/v1", api_key="local")

The last message decides: "fail" is answered with an error, "break" with a stream that is cut off, a message
with tools offered is answered with a call of the first tool, everything else with ANSWER.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "Paris is the capital of France."
ARGUMENTS = {"city": "Paris"}
USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
# Anthropic counts cached tokens apart: 12 new ones, 100 read from the cache, 20 written to it.
ANTHROPIC_USAGE = {
    "input_tokens": 12,
    "output_tokens": 7,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 20,
}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client may leave in the middle of a stream
            super().handle()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = request.get("messages") or [{"content": request.get("input")}]
        self.word = messages[-1]["content"]
        if self.word == "fail":
            self._json(
                400, {"type": "error", "error": {"type": "invalid_request_error", "message": "no such order"}}
            )
        elif self.path.endswith("/embeddings"):
            self._json(200, embeddings(request))
        elif self.path.endswith("/messages"):
            events = anthropic_events(request)
            if request.get("stream"):
                self._stream(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
            else:
                self._json(200, anthropic_message(request))
        elif request.get("stream"):
            chunks = [f"data: {json.dumps(chunk)}\n\n" for chunk in openai_chunks(request)]
            self._stream([*chunks, "data: [DONE]\n\n"])
        else:
            self._json(200, openai_completion(request))

    def _json(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, parts: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for index, part in enumerate(parts):
            if self.word == "break" and index == 3:
                # The connection ends in the middle of an answer.
                self.close_connection = True
                return
            data = part.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serve() -> Iterator[str]:
    """The stand-in on a free port of 127.0.0.1, for a block; its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="model", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def wants_tool(request: dict[str, Any]) -> bool:
    """Whether a tool is offered and was not called yet."""
    return (
        bool(request.get("tools")) and request["messages"][-1]["role"] == "user" and not has_result(request)
    )


def has_result(request: dict[str, Any]) -> bool:
    """Whether the last message brings a tool's result, as Anthropic's API has it."""
    content = request["messages"][-1]["content"]
    return isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)


def openai_message(request: dict[str, Any]) -> dict[str, Any]:
    """The assistant's message."""
    if wants_tool(request):
        function = {"name": request["tools"][0]["function"]["name"], "arguments": json.dumps(ARGUMENTS)}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
    return {"role": "assistant", "content": ANSWER}


def openai_completion(request: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    message = openai_message(request)
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"] + "-2026-01-01",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": USAGE,
    }


def openai_chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A streamed answer: a word a chunk, the finish reason, the usage where it was asked for."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    base["model"] = request["model"] + "-2026-01-01"
    message = openai_message(request)

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for index, call in enumerate(message.get("tool_calls", [])):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    for word in (message["content"] or "").split(" ") if message["content"] else []:
        yield chunk({"content": word if word == "Paris" else " " + word})
    yield chunk({}, "tool_calls" if "tool_calls" in message else "stop")
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": USAGE}


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """Vectors of the frequencies of five vowels."""
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": [float(str(text).count(vowel)) for vowel in "aeiou"],
        }
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": request["model"], "usage": usage}


def anthropic_message(request: dict[str, Any]) -> dict[str, Any]:
    """A whole answer of Anthropic's API."""
    tool = wants_tool(request)
    name = request["tools"][0]["name"] if tool else None
    content = {"type": "tool_use", "id": "toolu_1", "name": name, "input": ARGUMENTS} if tool else None
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [content or {"type": "text", "text": ANSWER}],
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    }


def anthropic_events(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A streamed answer of Anthropic's API."""
    start = {**anthropic_message(request), "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": {**start, "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for index, word in enumerate(ANSWER.split(" ")):
        text = word if index == 0 else " " + word
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}
    yield {"type": "message_stop"}
