"""What verifying a proof by a key seen before costs: against its signature, and every library that verifies proofs."""

from benchmarks.benchmark import Benchmark
from benchmarks.peers import OURS, PEERS, sides

FASTER = 1 / 1.3  # ours is at least 1.3 times as fast
LIBRARIES = {  # the function in verifications.py, and what it is in words
    "pydpop": "pydpop",
    "authlib": "Authlib's `jose`",
    "joserfc": "joserfc",
    "pyjwt": "PyJWT",
    "requests_oauth2client": "requests_oauth2client",
    "axa": "axa-fr-oidc",
    "idpyoidc": "idpyoidc",
}

CALLS = 3_000  # in one round: a process that waited for its turn is slow at first

BENCHMARK = Benchmark(
    ours="3,000 proofs verified and remembered, by a key seen before",
    peer="the bare signature checks of `cryptography`",
    bar=1.4,
    prepare=lambda: sides(
        "benchmarks.verifications",
        ("known_key", OURS),
        ("signature", OURS),
        *((name, PEERS) for name in LIBRARIES),
        calls=CALLS,
    ),
    rounds=9,
    others=dict.fromkeys(LIBRARIES.values(), FASTER),
)
