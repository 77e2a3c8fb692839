"""A stand-in for GitHub that follows its documented wire format: the web flow with PKCE, failures of the
token endpoint with HTTP 200, the user by GET /user and the addresses by GET /user/emails."""
import base64
import hashlib
import json
import secrets
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "Iv1.test", "github-client-secret-5b1c"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="application/json; charset=utf-8", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(data), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        github, url = self.server.github, urlsplit(self.path)
        if url.path == "/login/oauth/authorize":
            return self.authorize({k: v[0] for k, v in parse_qs(url.query).items()})
        if not self.headers.get("User-Agent"):
            return self.answer(403, {"message": "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"})
        if self.headers.get("Authorization") != f"Bearer {github.token}":
            return self.answer(401, {"message": "Bad credentials"})
        if url.path == "/api/v3/user":
            return self.answer(200, {"id": github.id, "login": github.login, "name": None, "email": None, "type": "User"})
        if url.path == "/api/v3/user/emails":
            return self.answer(200, github.emails)
        return self.answer(404, {"message": "Not Found"})

    def authorize(self, asked):
        github = self.server.github
        github.asked = asked
        github.code = secrets.token_hex(10)
        back = lambda said: asked["redirect_uri"] + "?" + urlencode({**said, "state": asked["state"]})  # noqa: E731
        yes = back({"code": github.code})
        no = back({"error": "access_denied", "error_description": "<b>The user has denied</b>"})
        if "text/html" in self.headers.get("Accept", ""):  # in a browser its person decides
            page = f'<!doctype html><link rel="icon" href="data:,"><a href="{escape(yes)}">Authorize</a> <a href="{escape(no)}">Cancel</a>'
            return self.answer(200, page.encode(), "text/html; charset=utf-8")
        return self.answer(302, Location=no if github.denies else yes)

    def do_POST(self):
        github = self.server.github
        form = {k: v[0] for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()}
        if self.path != "/login/oauth/access_token" or "json" not in self.headers.get("Accept", ""):
            return self.answer(404, {"message": "Not Found"})
        if github.instead:
            return self.answer(*github.instead)
        error = github.error_in(form)
        if error:
            return self.answer(200, {"error": error, "error_description": "<script>alert(1)</script>", "error_uri": "https://docs.github.com"})
        github.code = None
        return self.answer(200, {"access_token": github.token, "scope": github.scope, "token_type": "bearer"})


class Github:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.id, self.login, self.scope = 583231, "octocat", "read:user,user:email"
        self.emails = [{"email": "octocat@example.org", "primary": True, "verified": True, "visibility": "private"}]
        self.token, self.code, self.asked, self.denies, self.instead = "gho_" + secrets.token_hex(18), None, None, False, None
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.github = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def error_in(self, form):
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return "incorrect_client_credentials"
        if not self.code or form.get("code") != self.code:
            return "bad_verification_code"
        if form.get("redirect_uri") != self.asked["redirect_uri"]:
            return "redirect_uri_mismatch"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        return None if challenge == self.asked["code_challenge"] else "bad_verification_code"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
