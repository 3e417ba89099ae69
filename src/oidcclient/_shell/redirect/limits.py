"""How long and how much the listener bears, in one place; tests make them small."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    The listener's limits in time and number; those in bytes stand in the request parser.

    Args:
        request_seconds: From the connection to the end of its request, TLS handshake included.
        hold_seconds: How long a browser is kept waiting for the flow before it gets a page that waits in its place.
        yield_seconds: How long, on a fixed port, a client is given to close first: whoever closes first keeps the port
            busy (TIME_WAIT), and the next sign-in needs it.
        drain_seconds: How long a connection stays readable after its answer, so that no reset overtakes the answer.
        result_seconds: How long `finish` waits for the result page to be fetched.
        close_seconds: How long `close` waits for connections to say goodbye.
        port_retry_seconds: The pause before a fixed port that is taken is tried again.
        port_tries: How often a fixed port is tried.
        connections: How many connections are served at once.
        wrong_answers: How many responses that are not ours end the wait.
        slice_seconds: The longest uninterrupted sleep of any thread, so that Ctrl-C and `close` are noticed everywhere.
    """

    request_seconds: float = 5.0
    hold_seconds: float = 20.0
    yield_seconds: float = 0.3
    drain_seconds: float = 1.0
    result_seconds: float = 1.0
    close_seconds: float = 0.5
    port_retry_seconds: float = 0.3
    port_tries: int = 5
    connections: int = 32
    wrong_answers: int = 20
    slice_seconds: float = 0.1


DEFAULT_LIMITS = Limits()
