"""A listener that every test may open and none has to close."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._words.ways import Loopback
from tests.redirect.visitor import STATE, Opened, OpenReceiver, until


def listener_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "oidcclient-redirect"]


@pytest.fixture
def open_receiver() -> Generator[OpenReceiver]:
    receivers: list[LoopbackReceiver] = []

    def open_one(
        options: Loopback = Loopback(app_name="Photo Sorter"),  # noqa: B008 - a frozen value
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        notices: list[str] | None = None,
    ) -> Opened:
        receiver = LoopbackReceiver(options, limits=limits, on_notice=None if notices is None else notices.append)
        receivers.append(receiver)
        return Opened(receiver, receiver.open(STATE))

    yield open_one
    for receiver in receivers:
        receiver.close()
    until(lambda: not listener_threads())


@pytest.fixture
def opened(open_receiver: OpenReceiver) -> Opened:
    return open_receiver()
