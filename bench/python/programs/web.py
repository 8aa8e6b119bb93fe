"""A web application in process: a WSGI stack with routing, sessions in signed cookies,
forms and JSON serves the requests of browsers that keep their cookies for a while,
without sockets. Churns environments, headers, cookies, parsed queries, handlers' dicts
and response texts; the application's notes and sessions stay alive, within limits.
"""

import hashlib
import hmac
import html
import io
import json
import random
import re
from collections import OrderedDict
from http import HTTPStatus
from http.cookies import SimpleCookie
from itertools import islice
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from wsgiref.headers import Headers
from wsgiref.util import setup_testing_defaults

BROWSERS = 40
MAX_NOTES = 800
MAX_SESSIONS = 200


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


# The framework.


class HTTPError(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Request:
    def __init__(self, environ):
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        self.path = environ["PATH_INFO"]
        self.query = parse_qs(environ.get("QUERY_STRING", ""))
        self.cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        self.session = None

    def body(self):
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        data = self.environ["wsgi.input"].read(length)
        kind = self.environ.get("CONTENT_TYPE", "")
        if kind == "application/json":
            try:
                return json.loads(data)
            except ValueError as error:
                raise HTTPError(HTTPStatus.BAD_REQUEST, str(error)) from None
        form = parse_qs(data.decode(), keep_blank_values=True)
        return {name: values[-1] for name, values in form.items()}


class Response:
    def __init__(self, body="", status=HTTPStatus.OK, kind="text/html; charset=utf-8"):
        self.body = body
        self.status = status
        self.headers = Headers([("Content-Type", kind)])


def json_response(value, status=HTTPStatus.OK):
    return Response(json.dumps(value), status, "application/json")


class Router:
    """Patterns such as /notes/{number} with the methods' handlers."""

    def __init__(self):
        self.routes = []

    def add(self, method, pattern, handler):
        expression = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", pattern)
        self.routes.append((method, re.compile(expression), handler))

    def find(self, method, path):
        allowed = set()
        for route_method, expression, handler in self.routes:
            match = expression.fullmatch(path)
            if match is None:
                continue
            if route_method == method:
                return handler, match.groupdict()
            allowed.add(route_method)
        if allowed:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, ", ".join(sorted(allowed)))
        raise HTTPError(HTTPStatus.NOT_FOUND, path)


class Sessions:
    """Middleware that finds or makes the session; its cookie is signed."""

    def __init__(self, handle, key):
        self.handle = handle
        self.key = key
        self.made = 0
        self.sessions = OrderedDict()

    def sign(self, name):
        return hmac.new(self.key, name.encode(), hashlib.sha256).hexdigest()[:20]

    def find(self, cookies):
        if "session" in cookies:
            name, _, signature = cookies["session"].value.partition(".")
            is_genuine = hmac.compare_digest(signature, self.sign(name))
            if is_genuine and name in self.sessions:
                self.sessions.move_to_end(name)
                return self.sessions[name]
        return None

    def __call__(self, request):
        request.session = self.find(request.cookies)
        if request.session is not None:
            return self.handle(request)
        self.made += 1
        name = f"s{self.made}"
        request.session = self.sessions[name] = {"name": name, "visits": 0}
        if len(self.sessions) > MAX_SESSIONS:
            self.sessions.popitem(last=False)
        response = self.handle(request)
        cookie = SimpleCookie()
        cookie["session"] = f"{name}.{self.sign(name)}"
        cookie["session"]["path"] = "/"
        cookie["session"]["httponly"] = True
        response.headers["Set-Cookie"] = cookie["session"].OutputString()
        return response


# The application: notes with tags.


class Notes:
    PAGE = "<title>{title}</title><h1>{title}</h1>{body}<hr>{visits} visits"

    def __init__(self):
        self.notes = OrderedDict()
        self.made = 0
        router = self.router = Router()
        router.add("GET", "/", self.front_page)
        router.add("GET", "/notes", self.search)
        router.add("POST", "/notes", self.create)
        router.add("GET", "/notes/{number}", self.show)
        router.add("DELETE", "/notes/{number}", self.delete)
        self.handle = Sessions(self.route, b"a secret key")

    def __call__(self, environ, start_response):
        request = Request(environ)
        try:
            response = self.handle(request)
        except HTTPError as error:
            response = json_response({"error": str(error)}, error.status)
        body = response.body.encode()
        response.headers["Content-Length"] = str(len(body))
        status = f"{response.status.value} {response.status.phrase}"
        start_response(status, response.headers.items())
        return [body]

    def route(self, request):
        request.session["visits"] += 1
        handler, parameters = self.router.find(request.method, request.path)
        return handler(request, **parameters)

    def page(self, request, title, body):
        visits = request.session["visits"]
        title = html.escape(title)
        return Response(self.PAGE.format(title=title, body=body, visits=visits))

    def find(self, number):
        try:
            return self.notes[int(number)]
        except (KeyError, ValueError):
            raise HTTPError(HTTPStatus.NOT_FOUND, f"no note {number}") from None

    def front_page(self, request):
        newest = islice(reversed(self.notes.values()), 20)
        rows = [
            f'<li><a href="/notes/{note["number"]}">{html.escape(note["title"])}</a>'
            for note in newest
        ]
        return self.page(request, "Notes", f"<ul>{''.join(rows)}</ul>")

    def search(self, request):
        tag = request.query.get("tag", [""])[0]
        found = [note for note in self.notes.values() if tag in note["tags"]]
        count = int(request.query.get("count", ["10"])[0])
        return json_response({"total": len(found), "notes": found[-count:]})

    def create(self, request):
        fields = request.body()
        if not fields.get("title"):
            raise HTTPError(HTTPStatus.BAD_REQUEST, "a note needs a title")
        self.made += 1
        tags = fields.get("tags", [])
        tags = tags.split() if isinstance(tags, str) else tags
        note = {"number": self.made, "title": fields["title"], "tags": tags}
        note["text"] = fields.get("text", "")
        self.notes[self.made] = note
        if len(self.notes) > MAX_NOTES:
            self.notes.popitem(last=False)
        response = json_response(note, HTTPStatus.CREATED)
        response.headers["Location"] = f"/notes/{self.made}"
        return response

    def show(self, request, number):
        note = self.find(number)
        tags = " ".join(
            f'<a href="/notes?tag={quote(tag)}">{html.escape(tag)}</a>'
            for tag in note["tags"]
        )
        text = html.escape(note["text"])
        return self.page(request, note["title"], f"<p>{text}</p><p>{tags}</p>")

    def delete(self, request, number):
        del self.notes[self.find(number)["number"]]
        return Response(status=HTTPStatus.NO_CONTENT)


class Browser:
    def __init__(self, application):
        self.application = application
        self.forget()

    def forget(self):
        self.cookies = {}
        self.requests = 0  # with these cookies

    def request(self, method, url, body=b"", kind="application/x-www-form-urlencoded"):
        parts = urlsplit(url)
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "HTTP_USER_AGENT": "Browser/1.0",
            "HTTP_ACCEPT": "text/html,application/json;q=0.9,*/*;q=0.8",
            "HTTP_COOKIE": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
        }
        setup_testing_defaults(environ)
        answer = {}

        def start_response(status, headers):
            answer["status"] = int(status.split()[0])
            answer["headers"] = Headers(headers)

        data = b"".join(self.application(environ, start_response))
        headers = answer["headers"]
        check("content length", headers["Content-Length"], str(len(data)))
        for value in headers.get_all("Set-Cookie"):
            for name, morsel in SimpleCookie(value).items():
                self.cookies[name] = morsel.value
        self.requests += 1
        text = data.decode()
        is_json = headers["Content-Type"] == "application/json"
        return answer["status"], headers, json.loads(text) if is_json else text

    def get(self, url, **query):
        return self.request("GET", f"{url}?{urlencode(query)}" if query else url)

    def post_form(self, url, fields):
        return self.request("POST", url, urlencode(fields).encode())

    def post_json(self, url, value):
        return self.request("POST", url, json.dumps(value).encode(), "application/json")


def browse(browser, application, rng):
    """One visit with some pages; two notes are written, and one removed at times."""
    tag, number = f"tag {rng.randrange(30)}", rng.randrange(10**6)
    text = f"A text & more about <{number}>. " * rng.randrange(1, 20)
    fields = {"title": f"Nöte {number} <new>", "text": text}
    status, headers, note = browser.post_json(
        "/notes", {**fields, "tags": [tag, "all"]}
    )
    check("status of a new note", status, 201)
    check("title", note["title"], fields["title"])

    status, _, page = browser.get(headers["Location"])
    check("status of the note's page", status, 200)
    check("title on the page", f"<h1>Nöte {number} &lt;new&gt;</h1>" in page, True)
    check("text on the page", html.escape(text) in page, True)
    check("visits", page.endswith(f"<hr>{browser.requests} visits"), True)

    status, headers, note = browser.post_form("/notes", {**fields, "tags": "form all"})
    check("status of a form", (status, note["tags"]), (201, ["form", "all"]))
    status, _, found = browser.get("/notes", tag=tag, count=5)
    newest = found["notes"][-1]
    check("newest note with the tag", newest["title"], fields["title"])
    check("tags found", {tag in note["tags"] for note in found["notes"]}, {True})
    _, _, found = browser.get("/notes", tag="all", count=2)
    check("all notes", found["total"], len(application.notes))

    _, _, page = browser.get("/")
    check("links", page.count("<li>"), min(20, len(application.notes)))
    if rng.random() < 0.3:
        url = headers["Location"]
        check("deletion", browser.request("DELETE", url)[::2], (204, ""))
        check("deleted twice", browser.request("DELETE", url)[0], 404)
    check("no title", browser.post_form("/notes", {"title": ""})[0], 400)
    status, _, _ = browser.request("POST", "/notes", b"{", "application/json")
    check("bad JSON", status, 400)
    status, _, error = browser.request("PUT", "/notes")
    check("bad method", (status, error["error"]), (405, "GET, POST"))


def run(scale):
    rng = random.Random(1991)
    application = Notes()
    browsers = [Browser(application) for _ in range(BROWSERS)]
    expected_sessions = 0
    for number in range(max(1, round(850 * scale))):
        browser = browsers[number % BROWSERS]
        if number >= BROWSERS and rng.random() < 0.5:
            browser.forget()
        if not browser.cookies:
            expected_sessions += 1
        browse(browser, application, rng)
    sessions = application.handle
    check("sessions made", sessions.made, expected_sessions)
    check("sessions kept", len(sessions.sessions), min(MAX_SESSIONS, sessions.made))
    browser = Browser(application)
    browser.cookies["session"] = "s1.forged"
    browser.get("/")
    name, _, _ = browser.cookies["session"].partition(".")
    check("session for a forged cookie", name, f"s{sessions.made}")
