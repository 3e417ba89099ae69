"""Every limit and every named exception, in one value."""

from __future__ import annotations

from .errors import UsageError
from .value import dataclass

__all__ = ["ID_TOKEN_ALGORITHMS", "Policy"]

# Asymmetric algorithms that joserfc verifies. HS* is not among them: OIDC Core 10.1 forbids MACs for public clients,
# and a MAC key shared with the provider proves less for the others. RFC 9864 renames EdDSA to Ed25519; both are in use.
ID_TOKEN_ALGORITHMS = (
    "RS256",
    "ES256",
    "PS256",
    "Ed25519",
    "EdDSA",
    "RS384",
    "RS512",
    "ES384",
    "ES512",
    "PS384",
    "PS512",
)


ENDLESS = 1e9  # seconds, thirty years; bytes, a gigabyte: what is larger is no limit
POSITIVE = (
    "http_timeout",
    "id_token_max_age",
    "jwks_refetch_interval",
    "lock_timeout",
    "max_response_bytes",
    "max_wrong_callbacks",
    "metadata_max_age",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    Say how strict to be: every limit, skew and named exception has its place here.

    Args:
        allow_http_loopback: Accept an issuer served over plain http on loopback, and its endpoints there. Outside the
            standards; for tests and demos.
        clock_skew: How far the provider's clock may be off, in seconds.
        http_timeout: The longest one request may take from connecting to the last byte, in seconds.
        max_response_bytes: The largest answer accepted, in bytes.
        metadata_max_age: How long metadata and keys are used before they are fetched again, in seconds.
        lock_timeout: How long to wait for another process that refreshes the same session, in seconds.
        jwks_refetch_interval: The shortest time between two fetches of the keys for unknown `kid`s, in seconds.
        id_token_algorithms: The JWS algorithms an ID Token may be signed with; the provider's own list can only narrow
            it. `none` and HS* are never accepted.
        id_token_max_age: The longest time since an ID Token's `iat`, in seconds.
        trusted_audiences: Further audiences an ID Token may be for, beside the `client_id` (OIDC Core 3.1.3.7 step 3).
        max_wrong_callbacks: How many responses that are not ours end the wait.
        require_pkce_advertised: Refuse a provider whose metadata does not list PKCE method S256.
        require_par: Refuse a provider without pushed authorization requests (RFC 9126).
        require_iss: Refuse a provider whose authorization responses carry no `iss` (RFC 9207).
        several_issuers: This program signs in at more than one issuer. Each then gets a path of its own in the
            `redirect_uri`, against mix-up (RFC 8252 section 8.10).
        shared_redirect_path: With `several_issuers`: keep one path for all. Only for providers that send `iss`; others
            are refused (RFC 9700 section 4.4.2).
        templated_issuer: Accept this exact text as the metadata's `issuer`, for example
            `"https://login.microsoftonline.com/{tenantid}/v2.0"`; the ID Token's `iss` must then be that text with
            `{tenantid}` replaced by its own `tid`. Breaks RFC 8414 section 3.3, knowingly.

    Raises:
        UsageError: A number is not positive, or an algorithm is not one that can be accepted.
    """

    allow_http_loopback: bool = False
    clock_skew: float = 60.0
    http_timeout: float = 20.0
    max_response_bytes: int = 1 << 20
    metadata_max_age: float = 86_400.0
    lock_timeout: float = 30.0
    jwks_refetch_interval: float = 60.0
    id_token_algorithms: tuple[str, ...] = ID_TOKEN_ALGORITHMS
    id_token_max_age: float = 600.0
    trusted_audiences: tuple[str, ...] = ()
    max_wrong_callbacks: int = 20
    require_pkce_advertised: bool = False
    require_par: bool = False
    require_iss: bool = False
    several_issuers: bool = False
    shared_redirect_path: bool = False
    templated_issuer: str | None = None

    def __post_init__(self) -> None:
        """Refuse settings that would switch a check off."""
        unknown = [name for name in self.id_token_algorithms if name not in ID_TOKEN_ALGORITHMS]
        if unknown or not self.id_token_algorithms:
            raise UsageError(
                "id_token_algorithms must hold asymmetric algorithms only",
                rule="id_token_algorithms",
                section="OIDC Core 10.1",
                received=unknown,
                hint=f"Choose from {', '.join(ID_TOKEN_ALGORITHMS)}.",
            )
        if not 0 <= self.clock_skew <= 600:  # noqa: PLR2004 - ten minutes: more would make exp and iat meaningless
            raise UsageError("clock_skew must be from 0 to 600 seconds", rule="clock_skew", received=self.clock_skew)
        for name in POSITIVE:
            if not 0 < getattr(self, name) < ENDLESS:  # NaN is neither
                raise UsageError(f"{name} must be a number above 0", rule=name, received=getattr(self, name))
