"""The lab's view under the real Django, in one file, for gunicorn: what prefork_server mirrors.

gunicorn --bind 127.0.0.1:8089 --env LAB_SLEEP=0.1 django_server:application
"""

import os
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

SLEEP = float(os.environ.get("LAB_SLEEP", "0.1"))

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="the lab keeps no secrets", USE_TZ=True)


def hello(_request, **_name):
    """Waits in the worker, which serves nobody else meanwhile."""
    time.sleep(SLEEP)
    return HttpResponse("Hello, Anonymous", content_type="text/plain; charset=utf-8")


urlpatterns = [path("", hello), path("<str:name>", hello)]
application = get_wsgi_application()
