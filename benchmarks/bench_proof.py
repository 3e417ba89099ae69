"""What a proof costs: against the signature in it, and against every library that makes proofs."""

from benchmarks.benchmark import Benchmark
from benchmarks.peers import ATPROTO, OURS, PEERS, sides

PROOFS = 50  # of a round: so short that the machine often does nothing else meanwhile
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


BENCHMARK = Benchmark(
    ours=f"{PROOFS} proofs with a software ES256 key",
    peer="the bare signatures of `cryptography`",
    bar=1.5,
    prepare=lambda: sides(
        "benchmarks.proofs",
        ("ours", OURS),
        ("signature", OURS),
        *((name, environment) for name, (_, environment) in LIBRARIES.items()),
        calls=PROOFS,
    ),
    rounds=161,
    others={words: FASTER for words, _ in LIBRARIES.values()},
)
