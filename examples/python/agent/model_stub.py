"""A local stand-in for the OpenAI API: chat completions (plain and streamed) and embeddings.

It answers from a script, so that the agent can be run anywhere, without a key. Only the model is
played: the requests, the streaming and the client are real.
"""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLAN = "1. Find the order. 2. Check the policy for damaged goods. 3. Offer a replacement or a refund."
POLICY = (
    "Goods that arrive damaged are replaced or refunded within 30 days; the customer keeps the damaged item."
)
ANSWER = (
    "I am sorry that your desk lamp arrived broken. Order 1042 was delivered nine days ago, so it is "
    "covered: you may choose a replacement or a full refund of 49.90 EUR, and you need not send the "
    "broken one back. I could not reach the warehouse just now, so if you choose a replacement I will "
    "confirm its delivery date by e-mail."
)


class ModelStub:
    """The stub on a free port of 127.0.0.1; ``pace`` seconds pass between two streamed words."""

    def __init__(self, pace: float) -> None:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/embeddings"):
                    self._json(embeddings(request))
                elif request.get("stream"):
                    self._stream(request)
                else:
                    time.sleep(stub.pace * 8)
                    self._json(completion(request))

            def _json(self, answer: dict[str, Any]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, request: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for chunk in chunks(request):
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                    self.wfile.flush()
                    time.sleep(stub.pace)
                self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self.pace = pace
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, name="model-stub", daemon=True).start()

    def close(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._server.server_close()


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """The assistant's next message for a request."""
    messages = request["messages"]
    system = next((message["content"] for message in messages if message["role"] == "system"), "")
    if system.startswith("You plan"):
        return {"role": "assistant", "content": PLAN}
    if system.startswith("You quote"):
        return {"role": "assistant", "content": POLICY}
    answered = any(message["role"] == "tool" for message in messages)
    if request.get("tools") and not answered:
        calls = [("lookup_order", {"order_id": 1042}), ("check_warehouse", {"sku": "LAMP-7"})]
        tool_calls = [
            {
                "id": f"call_{name}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for name, arguments in calls
        ]
        return {"role": "assistant", "content": None, "tool_calls": tool_calls}
    return {"role": "assistant", "content": ANSWER}


def usage(request: dict[str, Any], message: dict[str, Any]) -> dict[str, int]:
    """Token counts: a token is taken to be four characters."""
    prompt = len(json.dumps(request["messages"])) // 4
    answer = max(len(json.dumps(message)) // 4, 1)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def completion(request: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    message = reply(request)
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"] + "-2026-01-01",
        "choices": [{"index": 0, "message": message, "finish_reason": finish(message)}],
        "usage": usage(request, message),
    }


def chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A streamed answer: a word or a tool call a chunk, then the finish reason, then the usage."""
    message = reply(request)
    base = {"id": "chatcmpl-stub", "object": "chat.completion.chunk", "created": int(time.time())}
    base["model"] = request["model"] + "-2026-01-01"

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for index, call in enumerate(message.get("tool_calls", [])):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    for word in (message["content"] or "").split():
        yield chunk({"content": word + " "})
    yield chunk({}, finish(message))
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": usage(request, message)}


def finish(message: dict[str, Any]) -> str:
    """Why the answer ended."""
    return "tool_calls" if message.get("tool_calls") else "stop"


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """Vectors of letter frequencies: crude, but near texts are near."""
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text)}
        for index, text in enumerate(map(str, texts))
    ]
    tokens = sum(len(str(text)) for text in texts) // 4
    return {
        "object": "list",
        "data": data,
        "model": request["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str) -> list[float]:
    """Letter frequencies of a text, as a vector of length one."""
    counts = [float(text.lower().count(chr(97 + index))) for index in range(26)]
    length = sum(count * count for count in counts) ** 0.5 or 1.0
    return [count / length for count in counts]
