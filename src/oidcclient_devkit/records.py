"""What the provider was asked, for tests to look at."""

from dataclasses import dataclass, field

from .exchange import Exchange, Pairs, first


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request and the status it was answered with. `endpoint` is the name the controls use."""

    endpoint: str
    method: str
    path: str
    status: int
    query: Pairs = field(default=(), repr=False)
    headers: Pairs = field(default=(), repr=False)
    form: Pairs = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def value(self, name: str) -> str | None:
        """Return the first parameter of that name, from the body or the query."""
        return first((*self.form, *self.query), name)

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class RequestLog(list[RecordedRequest]):
    """The requests in the order they were answered."""

    def record(self, endpoint: str, exchange: Exchange, status: int) -> None:
        """Keep one request."""
        self.append(
            RecordedRequest(
                endpoint=endpoint,
                method=exchange.method,
                path=exchange.path,
                status=status,
                query=exchange.query,
                headers=exchange.headers,
                form=exchange.form,
                body=exchange.body,
            )
        )

    def of(self, endpoint: str) -> list[RecordedRequest]:
        """Return the requests to one endpoint."""
        return [request for request in list(self) if request.endpoint == endpoint]
