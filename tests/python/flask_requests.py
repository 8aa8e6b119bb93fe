"""A web application and some thousand requests by its test client; prints a hash of all responses."""

import hashlib
import io
import json
import random

import flask

app = flask.Flask(__name__)
app.secret_key = "hakmem"
notes = {}

PAGE = """
{% macro row(note) %}<tr><td>{{ note.id }}<td>{{ note.title|title }}<td>{{ note.text|truncate(40) }}
{% endmacro %}<!doctype html><title>{{ title }}</title>
<table>{% for note in notes %}{{ row(note) }}{% else %}nothing{% endfor %}</table>
"""


@app.get("/notes")
def page():
    count = flask.request.args.get("count", 10, type=int)
    chosen = sorted(notes.values(), key=lambda note: note["title"])[:count]
    return flask.render_template_string(PAGE, title="Notes <all>", notes=chosen)


@app.route("/api/notes/<int:number>", methods=["GET", "PUT", "DELETE"])
def note(number):
    if flask.request.method == "PUT":
        notes[number] = {"id": number, **flask.request.get_json()}
        return notes[number], 201
    if number not in notes:
        flask.abort(404)
    if flask.request.method == "DELETE":
        return notes.pop(number)
    return flask.jsonify(notes[number])


@app.post("/upload")
def upload():
    file = flask.request.files["file"]
    data = file.read()
    return {
        "name": file.filename,
        "size": len(data),
        "sha": hashlib.sha256(data).hexdigest(),
    }


@app.get("/stream/<int:lines>")
def stream(lines):
    return flask.Response(
        (f"line {i}\n" * (i % 5) for i in range(lines)), mimetype="text/plain"
    )


@app.get("/visits")
def visits():
    flask.session["visits"] = flask.session.get("visits", 0) + 1
    return str(flask.session["visits"])


@app.get("/error")
def error():
    raise KeyError("on purpose")


@app.errorhandler(KeyError)
def on_error(error):
    return {"error": str(error)}, 500


def requests(client, rng, count):
    for i in range(count):
        number = rng.randrange(200)
        words = [
            "".join(rng.choices("abcdefé€", k=rng.randrange(1, 12))) for _ in range(30)
        ]
        yield {
            0: lambda: client.get("/notes", query_string={"count": number}),
            1: lambda: client.get(f"/api/notes/{number}"),
            2: lambda: client.put(
                f"/api/notes/{number}",
                json={"title": words[0], "text": " ".join(words)},
            ),
            3: lambda: client.delete(f"/api/notes/{number}"),
            4: lambda: client.post(
                "/upload",
                data={"file": (io.BytesIO(rng.randbytes(number * 500)), "a.bin")},
            ),
            5: lambda: client.get(f"/stream/{number}"),
            6: lambda: client.get("/visits"),
            7: lambda: client.get("/error"),
        }[i % 8 if i % 3 else 2]()


def main(count=4000):
    seen, statuses = hashlib.sha256(), {}
    for response in requests(app.test_client(), random.Random(1), count):
        # A session's cookie has the time in it.
        headers = [header for header in response.headers if header[0] != "Set-Cookie"]
        seen.update(json.dumps([response.status, headers]).encode())
        seen.update(response.data)
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        response.close()
    assert sum(statuses.values()) == count and set(statuses) == {200, 201, 404, 500}
    print(f"{count} requests, {sorted(statuses.items())}, sha256 {seen.hexdigest()}")


if __name__ == "__main__":
    main()
