"""AI providers on loopback, each in the wire format of its own API, streamed. A script of turns as in provider.py (text, call, an HTTP
status, bytes as they are); what was asked is kept."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-test-4c0ffee0c0ffee"


def said(turn):
    """A scripted turn as (words, calls)."""
    words, calls = [], {}
    for choice in turn:
        delta = choice["delta"]
        if delta.get("content"):
            words.append(delta["content"])
        for c in delta.get("tool_calls", []):
            name, arguments = calls.get(c["index"], ("", ""))
            calls[c["index"]] = (c["function"].get("name") or name, arguments + c["function"]["arguments"])
    return words, list(calls.values())


def sse(events, named=True):
    return b"".join((f"event: {e['type']}\n" if named else "").encode() + b"data: " + json.dumps(e).encode() + b"\n\n" for e in events)


def anthropic(turn):
    words, calls = said(turn)
    events = [{"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1}}},
              {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}, {"type": "ping"},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2lnbmVk"}}, {"type": "content_block_stop", "index": 0},
              {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
              *({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": w}} for w in words), {"type": "content_block_stop", "index": 1}]
    for i, (name, arguments) in enumerate(calls, 2):
        events += [{"type": "content_block_start", "index": i, "content_block": {"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": {}}},
                   *({"type": "content_block_delta", "index": i, "delta": {"type": "input_json_delta", "partial_json": arguments[k:k + 5]}} for k in range(0, len(arguments), 5)),
                   {"type": "content_block_stop", "index": i}]
    events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    return sse(events)


def openai(turn):
    words, calls = said(turn)
    events = [{"type": "response.created", "response": {"status": "in_progress"}},
              {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2lnbmVk"}},
              *({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": w} for w in words)]
    if words:
        events.append({"type": "response.output_item.done", "output_index": 1, "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "".join(words), "annotations": []}]}})
    for i, (name, arguments) in enumerate(calls, 2):
        events.append({"type": "response.output_item.done", "output_index": i, "item": {"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}", "name": name, "arguments": arguments, "status": "completed"}})
    return sse([*events, {"type": "response.completed", "response": {"status": "completed"}}])


def gemini(turn):
    words, calls = said(turn)
    parts = [{"text": w} for w in words] + [{"functionCall": {"name": name, "args": json.loads(arguments)}, "thoughtSignature": "c2lnbmVk"} for name, arguments in calls]
    chunks = [{"candidates": [{"index": 0, "content": {"role": "model", "parts": [p]}}]} for p in parts]
    return sse([*chunks, {"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": []}}], "usageMetadata": {"promptTokenCount": 1}}], named=False)


def ollama(turn):
    words, calls = said(turn)
    lines = [{"model": "m", "message": {"role": "assistant", "content": w}, "done": False} for w in words]
    lines += [{"model": "m", "message": {"role": "assistant", "content": "", "tool_calls": [{"function": {"index": i, "name": name, "arguments": json.loads(arguments)}}]}, "done": False}
              for i, (name, arguments) in enumerate(calls)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}])


WIRE = {
    "anthropic": {"base": "", "path": "/v1/messages", "models": ("/v1/models?limit=1000", {"data": [{"type": "model", "id": "m-2"}, {"type": "model", "id": "m-1"}], "has_more": False}),
                  "key": ("x-api-key", KEY), "stream": anthropic, "refusal": lambda status: {"type": "error", "error": {"type": "x", "message": f"key {KEY[:9]}"}}},
    "openai": {"base": "/v1", "path": "/v1/responses", "models": ("/v1/models", {"object": "list", "data": [{"id": "m-2"}, {"id": "m-1"}]}), "key": ("Authorization", f"Bearer {KEY}"), "stream": openai,
               "refusal": lambda status: {"error": {"message": f"key {KEY[:9]}", "type": "x", "param": None, "code": None}}},
    "gemini": {"base": "/v1beta", "path": "/v1beta/models/m-1:streamGenerateContent?alt=sse", "models": ("/v1beta/models?pageSize=1000", {"models": [{"name": "models/m-2"}, {"name": "models/m-1"}]}),
               "key": ("x-goog-api-key", KEY), "stream": gemini, "refusal": lambda status: {"error": {"code": status, "message": f"key {KEY[:9]}", "status": "X"}}},
    "ollama": {"base": "", "path": "/api/chat", "models": ("/api/tags", {"models": [{"name": "m-2", "model": "m-2"}, {"name": "m-1", "model": "m-1"}]}), "key": ("Authorization", f"Bearer {KEY}"), "stream": ollama,
               "refusal": lambda status: {"error": f"key {KEY[:9]}"}},
}


class Provider:
    def __init__(self, vendor):
        self.wire, self.lock = WIRE[vendor], threading.Lock()
        self.before_answer = None
        self.play(500)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                path, answer = provider.wire["models"]
                provider.reply(self, 200 if self.path == path else 404, answer)

            def do_POST(self):
                provider.answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{self.wire['base']}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def play(self, *script):
        with self.lock:
            self.script, self.requests = list(script), []
        return self

    def known(self, handler):
        name, value = self.wire["key"]
        return handler.headers.get(name) == value

    def reply(self, handler, status, body):
        if not self.known(handler):
            status, body = 401, self.wire["refusal"](401)
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        if status == 429:
            handler.send_header("retry-after-ms", "10")
        handler.end_headers()
        handler.wfile.write(data)

    def answer(self, handler, body):
        with self.lock:
            self.requests.append({"path": handler.path, "body": body})
            turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if self.before_answer:
            self.before_answer()
        if isinstance(turn, int) or not self.known(handler) or handler.path != self.wire["path"]:
            return self.reply(handler, turn if isinstance(turn, int) else 404, self.wire["refusal"](turn))
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(turn if isinstance(turn, bytes) else self.wire["stream"](turn))
        handler.close_connection = True

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
