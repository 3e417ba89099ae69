"""What happened so far, for a developer: the requests with the reasons of their refusals, and the counters."""

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.metrics import CONTENT_TYPE
from oidcclient_devkit.pages.render import page

SHOWN = 100  # requests
NOT_SHOWN = frozenset({"style", "log", "metrics"})


def log(core: Core, _exchange: Exchange) -> Answer:
    """Show the last requests, the newest first."""
    asked = [request for request in list(core.requests) if request.endpoint not in NOT_SHOWN]
    return page("log.html", requests=asked[: -SHOWN - 1 : -1], shown=SHOWN)


def metrics(core: Core, _exchange: Exchange) -> Answer:
    """Serve the counters to Prometheus."""
    body = core.metrics.page(core.proofs.replay.live(now=core.clock.now()))
    return Answer(200, [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store")], body.encode())
