"""An AI provider on loopback that speaks the Chat Completions wire format, streamed, as OpenAI's API and
its many look-alikes do. What it answers is a script of turns; what it was sent is kept."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-test-4c0ffee0c0ffee"


def text(words, finish="stop"):
    """A turn of plain words, one chunk each."""
    return [{"delta": {"role": "assistant", "content": ""}}, *({"delta": {"content": w}} for w in words), {"delta": {}, "finish_reason": finish}]


def call(name, arguments, identifier="call_1"):
    """A tool call whose arguments come in pieces of seven characters."""
    whole = arguments if isinstance(arguments, str) else json.dumps(arguments)
    pieces = [whole[i:i + 7] for i in range(0, len(whole), 7)] or [""]
    first = {"index": 0, "id": identifier, "type": "function", "function": {"name": name, "arguments": ""}}
    return [{"delta": {"role": "assistant", "content": None, "tool_calls": [first]}},
            *({"delta": {"tool_calls": [{"index": 0, "function": {"arguments": p}}]}} for p in pieces),
            {"delta": {}, "finish_reason": "tool_calls"}]


class Hang(threading.Event):
    """A turn that begins with these words and does not go on until it is set."""

    def __init__(self, words):
        super().__init__()
        self.words = words


class Provider:
    """`script`: a list of turns; each is a list of choices (see text, call), an int (HTTP status), bytes
    (sent as they are), or a Hang. The last one is repeated."""

    def __init__(self, *script):
        self.lock = threading.Lock()
        self.play(*script)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.answer(self, body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def play(self, *script):
        """From here on; what was sent before is forgotten."""
        with self.lock:
            self.script, self.requests = list(script) or [500], []
        return self

    def answer(self, handler, body):
        with self.lock:
            self.requests.append({"path": handler.path, "authorization": handler.headers.get("Authorization"), "body": body})
            turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if handler.headers.get("Authorization") != f"Bearer {KEY}":
            turn = 401
        if isinstance(turn, int):
            return self.refuse(handler, turn)
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        if isinstance(turn, bytes):
            handler.wfile.write(turn)
        elif isinstance(turn, Hang):
            for word in turn.words:
                self.chunk(handler, [{"index": 0, "finish_reason": None, "delta": {"content": word}}])
            turn.wait(60)
        else:
            for choice in turn:
                self.chunk(handler, [{"index": 0, "finish_reason": None, **choice}])
            self.chunk(handler, [])  # the usage chunk has no choices
            handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    def chunk(self, handler, choices):
        data = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "stand-in-1", "choices": choices,
                "usage": None if choices else {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        handler.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
        handler.wfile.flush()

    @staticmethod
    def refuse(handler, status):
        kind = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status, "server_error")
        body = json.dumps({"error": {"message": f"refused, your key {KEY[:7]}… was seen", "type": kind, "param": None, "code": kind}}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        if status == 429:
            handler.send_header("Retry-After", "0")
        handler.end_headers()
        handler.wfile.write(body)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
