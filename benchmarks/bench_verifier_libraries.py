"""What verifying a proof by a key seen before costs, against every library that verifies proofs."""

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

CALLS = 1_000  # in one round: a process that waited for its turn is slow at first
FIRST, *OTHERS = LIBRARIES

BENCHMARK = Benchmark(
    ours="1,000 proofs verified and remembered, by a key seen before",
    peer=LIBRARIES[FIRST],
    bar=FASTER,
    prepare=lambda: sides(
        "benchmarks.verifications",
        ("known_key", OURS),
        (FIRST, PEERS),
        *((name, PEERS) for name in OTHERS),
        calls=CALLS,
    ),
    rounds=31,
    others={LIBRARIES[name]: FASTER for name in OTHERS},
)
