"""A Django site with views of its own and of Django REST framework."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings

SETTINGS: dict[str, Any] = {
    "ALLOWED_HOSTS": ["*"],
    "DEBUG": False,
    "INSTALLED_APPS": ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    "MIDDLEWARE": ["oidcclient_dpop.server.django.DPoPMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    "OIDCCLIENT_DPOP_RESOURCE": None,  # set by each test
    "ROOT_URLCONF": "tests.resource_server.django_urls",
    "SECRET_KEY": "for tests",
    "USE_TZ": True,
}


def set_up() -> None:
    """Configure Django, once for a process."""
    if not settings.configured:
        settings.configure(**SETTINGS)
        django.setup()
