"""The running provider's parts, handed to every endpoint."""

from dataclasses import dataclass, field

from .clients import Client
from .clock import Clock
from .controls import Controls
from .keys import Keys
from .metrics import Metrics
from .proof_rules import ProofMemory
from .records import RequestLog
from .store import Grant, Store
from .users import User


@dataclass(slots=True)
class Core:
    """One provider: its addresses, people, apps, keys, memory and switches."""

    issuer: str
    api: str
    keys: Keys
    users: dict[str, User]
    clients: dict[str, Client]
    resources: list[str]
    controls: Controls
    requests: RequestLog
    clock: Clock = field(default_factory=Clock)
    store: Store = field(default_factory=Store)
    proofs: ProofMemory = field(default_factory=ProofMemory)
    metrics: Metrics = field(default_factory=Metrics)

    def now(self) -> int:
        """Return the provider's time in whole Unix seconds."""
        return int(self.clock.now())

    def user_of(self, grant: Grant) -> User:
        """Return the person a grant is about."""
        return self.users[grant.person.username]

    def subject_of(self, grant: Grant) -> str:
        """Return whom a grant is about: a person, or the client itself (RFC 9068 section 2.2)."""
        return grant.client_id if grant.signed_in is None else self.user_of(grant).sub

    def address(self, path: str) -> str:
        """Return the full address of one of the provider's paths."""
        return f"{self.issuer}{path}"
