"""The lab's handler as a user of gunicorn would write it, to hold prefork_server against the real one."""

import time
import urllib.parse


def application(environ, start_response):
    query = urllib.parse.parse_qs(environ["QUERY_STRING"])
    environ["wsgi.input"].read()
    time.sleep(float(query.get("sleep", ["0"])[0]))
    body = b"Hello, Anonymous"
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body] if environ["REQUEST_METHOD"] != "HEAD" else []
