"""What the provider counts, as Prometheus reads it (text format 0.0.4)."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from oidcclient_dpop.server import USE_DPOP_NONCE, ProofRefused

from .answers import Answer
from .exchange import Exchange
from .why import FIRST_ERROR, cut, error_of, json_object

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "oidcclient_devkit_"
OK = 200  # HTTP

COUNTERS: Mapping[str, str] = {
    "requests_total": "Requests by endpoint and HTTP status.",
    "tokens_total": "Token answers by grant and token type.",
    "refusals_total": "Refused requests by endpoint and error code.",
    "proofs_verified_total": "DPoP proofs that were good, by endpoint.",
    "proofs_refused_total": "DPoP proofs that broke a rule, by endpoint and rule.",
    "nonce_challenges_total": "DPoP proofs that were asked for another nonce, by endpoint.",
}
CACHED = "cached_jtis"

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Metrics:
    """The counters of one provider and its API."""

    counts: Counter[tuple[str, Labels]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, **labels: str) -> None:
        """Count one."""
        with self.lock:
            self.counts[name, tuple(labels.items())] += 1

    def answered(self, endpoint: str, exchange: Exchange, answer: Answer) -> None:
        """Count a request by how it was answered."""
        self.add("requests_total", endpoint=endpoint, status=str(answer.status))
        error, _ = error_of(answer)
        if error or answer.status >= FIRST_ERROR:
            self.add("refusals_total", endpoint=endpoint, error=error or str(answer.status))
        if endpoint == "token" and answer.status == OK:
            token_type = json_object(answer.body).get("token_type")
            self.add("tokens_total", grant=cut(exchange.value("grant_type") or ""), type=cut(str(token_type)))

    def proof_verified(self, endpoint: str) -> None:
        """Count a good proof."""
        self.add("proofs_verified_total", endpoint=endpoint)

    def proof_refused(self, endpoint: str, refused: ProofRefused) -> None:
        """Count a bad one; to be asked for a nonce is normal life (RFC 9449 section 8)."""
        if refused.error == USE_DPOP_NONCE:
            self.add("nonce_challenges_total", endpoint=endpoint)
        else:
            self.add("proofs_refused_total", endpoint=endpoint, rule=str(refused.rule))

    def value(self, name: str, **labels: str) -> int:
        """Return the sum of the counts that have these labels."""
        with self.lock:
            return sum(
                count
                for (known, having), count in self.counts.items()
                if known == name and labels.items() <= dict(having).items()
            )

    def page(self, cached_jtis: int) -> str:
        """Return what Prometheus reads."""
        return "".join(f"{line}\n" for line in self._lines(cached_jtis))

    def _lines(self, cached_jtis: int) -> Iterator[str]:
        with self.lock:
            counts = sorted(self.counts.items())
        for name, words in COUNTERS.items():
            yield f"# HELP {PREFIX}{name} {words}"
            yield f"# TYPE {PREFIX}{name} counter"
            for (known, labels), count in counts:
                if known == name:
                    inner = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels)
                    yield f"{PREFIX}{name}{{{inner}}} {count}"
        yield f"# HELP {PREFIX}{CACHED} DPoP proofs that are remembered so that none is used twice."
        yield f"# TYPE {PREFIX}{CACHED} gauge"
        yield f"{PREFIX}{CACHED} {cached_jtis}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
