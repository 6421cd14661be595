"""The least that gunicorn can serve: a WSGI application of one answer."""

ANSWER = b"Hello, Anonymous"


def application(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]
