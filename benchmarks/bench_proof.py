"""What a proof costs: against the signature in it, and against every library that makes proofs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.peers import ATPROTO, OURS, PEERS, side

FASTER = 1 / 1.5  # ours is at least one and a half times as fast
LIBRARIES = {  # the function in proofs.py: in words, and where it is installed
    "pyjwt": ("PyJWT", PEERS),
    "atproto_oauth": ("atproto-oauth", ATPROTO),
    "atproto_oauth_py": ("atproto-oauth-py", PEERS),
    "joserfc_jws": ("joserfc's `jws`", PEERS),
    "joserfc_jwt": ("joserfc's `jwt`", PEERS),
    "pydpop": ("pydpop", PEERS),
    "authlib": ("Authlib's `jose`", PEERS),
    "idpyoidc": ("idpyoidc", PEERS),
    "requests_oauth2client": ("requests_oauth2client", PEERS),
}


@contextmanager
def a_process_each() -> Iterator[Sides]:
    """Start them all."""
    with ExitStack() as stack:
        ours, signature, *others = [
            stack.enter_context(side("benchmarks.proofs", name, environment))
            for name, environment in [
                ("ours", OURS),
                ("signature", OURS),
                *((name, environment) for name, (_, environment) in LIBRARIES.items()),
            ]
        ]
        yield Sides(ours, signature, others)


BENCHMARK = Benchmark(
    ours="200 proofs with a software ES256 key",
    peer="the bare signatures of `cryptography`",
    bar=1.5,
    prepare=a_process_each,
    rounds=41,
    others={words: FASTER for words, _ in LIBRARIES.values()},
)
