"""What the provider was asked and why it refused, for tests and for people to look at."""

import logging
import time
from dataclasses import dataclass, field

from .answers import Answer, printable
from .exchange import Exchange, Pairs, first
from .why import reason

LOGGER = logging.getLogger("oidcclient_devkit.requests")  # at level INFO
INDENT = " " * 10
# The last segment of these addresses is a handle: it stands for a sign-in under way.
WITH_HANDLE = frozenset({"sign_in", "consent"})


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request and the status it was answered with. `endpoint` is the name the controls use.

    `why` says in words, without secrets, why it was refused; empty if it was not and nothing else is to be said.
    `at` is the provider's time in Unix seconds.
    """

    endpoint: str
    method: str
    path: str
    status: int
    query: Pairs = field(default=(), repr=False)
    headers: Pairs = field(default=(), repr=False)
    form: Pairs = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    why: str = ""
    at: float = 0.0

    def value(self, name: str) -> str | None:
        """Return the first parameter of that name, from the body or the query."""
        return first((*self.form, *self.query), name)

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def clock(self) -> str:
        """The time of day."""
        return time.strftime("%H:%M:%S", time.localtime(self.at))

    @property
    def line(self) -> str:
        """What was asked, with nothing secret in it."""
        path = f"{self.path.rpartition('/')[0]}/..." if self.endpoint in WITH_HANDLE else self.path
        place = " at the API" if self.endpoint == "api" else ""
        return f"{printable(self.method)} {printable(path)}{place}"

    def __str__(self) -> str:
        lines = [f"{self.clock}  {self.status}  {self.line}", *(f"{INDENT}{line}" for line in self.why.splitlines())]
        return "\n".join(lines)


class RequestLog(list[RecordedRequest]):
    """The requests in the order they were answered; each is logged, too."""

    def record(self, endpoint: str, exchange: Exchange, answer: Answer, *, at: float) -> None:
        """Keep one request, with what is to be said of it."""
        why = reason(answer)
        lines = exchange.notes if why in {"", *exchange.notes} else [why, *exchange.notes]
        request = RecordedRequest(
            endpoint=endpoint,
            method=exchange.method,
            path=exchange.path,
            status=answer.status,
            query=exchange.query,
            headers=exchange.headers,
            form=exchange.form,
            body=exchange.body,
            why="\n".join(printable(line) for text in lines for line in text.splitlines()),
            at=at,
        )
        self.append(request)
        if LOGGER.isEnabledFor(logging.INFO):
            LOGGER.info("%s", str(request))  # not the request itself: a log's handler may look into it

    def of(self, endpoint: str) -> list[RecordedRequest]:
        """Return the requests to one endpoint."""
        return [request for request in list(self) if request.endpoint == endpoint]
