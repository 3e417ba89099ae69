"""Authlib's view of a request."""

from collections import defaultdict
from typing import Any

from authlib.oauth2.rfc6749 import JsonPayload, JsonRequest, OAuth2Payload, OAuth2Request
from starlette.datastructures import Headers

from oidcclient_devkit.exchange import Exchange, Pairs
from oidcclient_dpop.server import VerifiedProof


class Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    """The parameters, first values and all values."""

    def __init__(self, params: Pairs) -> None:
        self._all: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in params:
            self._all[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        """The first value of each parameter."""
        return {name: values[0] for name, values in self._all.items()}

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """All values of each parameter."""
        return self._all


class OAuthRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request with its parameters, wherever they came from, and its DPoP proof once that was checked."""

    def __init__(self, exchange: Exchange, address: str, params: Pairs | None = None) -> None:
        super().__init__(exchange.method, address, headers=Headers(raw=_raw(exchange.headers)))
        self.params = exchange.params if params is None else params
        self.payload = Payload(self.params)
        self.exchange = exchange
        self.dpop_proof: VerifiedProof | None = None

    @property
    def form(self) -> dict[str, str]:
        """The parameters, under the name Authlib uses for a body."""
        return dict(self.payload.data)


def _raw(headers: Pairs) -> list[tuple[bytes, bytes]]:
    """Keep fields that came more than once."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class Members(JsonPayload):  # type: ignore[misc]  # Authlib has no types
    """The members of a JSON body."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    @property
    def data(self) -> dict[str, Any]:
        """The members."""
        return self._members


class JsonOAuthRequest(JsonRequest):  # type: ignore[misc]  # Authlib has no types
    """A request whose body is JSON."""

    def __init__(self, exchange: Exchange, address: str, members: dict[str, Any]) -> None:
        super().__init__(exchange.method, address)
        self.payload = Members(members)
