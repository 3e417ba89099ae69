"""
A process that remembers a million proofs, all of them live, and says what it took: `python -m benchmarks.million`.

It prints the memory it has in gigabytes (what of it is in RAM, with the interpreter and the module), and the longest
time that one proof took, in seconds.
"""

import resource
import sys
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

from oidcclient_dpop.server import MemoryReplayCache, VerifiedProof

PROOFS = 1_000_000
LIFETIME_S = 75  # seconds: no clock runs here, so that none expires
NOW = 1_700_000_000.0
NO_MEMBERS: MappingProxyType[str, str] = MappingProxyType({})
URL = "https://api.example.com/v1/things"


def proof(number: int, expires_at: float = NOW + LIFETIME_S) -> VerifiedProof:
    """Return a proof unlike all others."""
    return VerifiedProof("k" * 43, f"jti-{number:022}", NOW, None, NO_MEMBERS, URL, expires_at)


def fill(memory: MemoryReplayCache) -> float:
    """Use the proofs up, as they would come in; return the longest time one took."""
    longest = 0.0
    for number in range(PROOFS):
        one = proof(number, NOW + 1 + number * LIFETIME_S // PROOFS)
        start = perf_counter()
        memory.use(one, now=NOW)
        longest = max(longest, perf_counter() - start)
    return longest


def gigabytes() -> float:
    """Return what of this process is in RAM."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e9
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e9 if sys.platform == "darwin" else 1e6)  # getrusage(2) of macOS counts bytes, others kilobytes


if __name__ == "__main__":
    kept = MemoryReplayCache(PROOFS)
    pause = fill(kept)
    if kept.live(now=NOW) != PROOFS:
        raise SystemExit("they are not all there")
    print(gigabytes(), pause)
