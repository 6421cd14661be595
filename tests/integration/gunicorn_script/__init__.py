"""What the real gunicorn and prefork_server are put through, and what differs between the two on purpose."""

from gunicorn_script import connections, deaths, files, logs, processes, signals  # noqa: F401  each adds its scenarios
from gunicorn_script.scenario import SCENARIOS  # noqa: F401
