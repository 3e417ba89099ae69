"""
DPoP for an authorization server that is built on Authlib, in whatever web framework (`oidcclient-dpop[authlib]`).

    class Server(DPoPServer, AuthorizationServer):      # Flask's, Django's or your own
        dpop = TokenBinding({"token": "https://login.example.com/oauth/token"}, replay=..., nonces=...)

    class TokenGenerator(JWTBearerTokenGenerator):
        def get_extra_claims(self, client, grant_type, user, scope):
            return confirmation()                       # {"cnf": {"jkt": ...}} where the token is bound

What is left to the server is to keep, as `dpop_jkt`, `requested_jkt(request)` with its codes and `proven_jkt(request)`
with its refresh tokens. Pushed requests are answered by `create_push_response`, and found again by
`authorization_request`.
"""

try:
    import authlib.oauth2  # noqa: F401 - here, to say what is missing
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "for servers on Authlib: pip install 'oidcclient-dpop[authlib]'", name=error.name
    ) from error

from .binding import TokenBinding, introspection_members, proven_jkt, requested_jkt
from .errors import InvalidProofError, ProofMemoryUnavailableError, UseNonceError
from .registration import ClientMetadataClaims
from .server import DPoPServer, confirmation

__all__ = [
    "ClientMetadataClaims",
    "DPoPServer",
    "InvalidProofError",
    "ProofMemoryUnavailableError",
    "TokenBinding",
    "UseNonceError",
    "confirmation",
    "introspection_members",
    "proven_jkt",
    "requested_jkt",
]
