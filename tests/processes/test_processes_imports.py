"""A cached, valid token is served by a fresh process that loads next to nothing."""

from __future__ import annotations

import subprocess
import sys

from tests.processes.conftest import Shared
from tests.processes.crew import ROOT

# The bar of the issue, and what else takes long to load.
HEAVY = {"anyio", "asyncio", "authlib", "concurrent", "httpx", "httpx2", "joserfc", "keyring", "logging", "ssl"}
PROGRAM = """
import sys
import oidcclient

folder, issuer, client_id = sys.argv[1:]
policy = oidcclient.Policy(allow_http_loopback=True)
client = oidcclient.Client(issuer, client_id, store=oidcclient.FileStore(folder), policy=policy)
assert client.session().access_token().value
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def loaded(*arguments: str) -> set[str]:
    """Return the top-level modules that a fresh Python holds at the end."""
    # -S: the path files of the environment's own tools load modules at each start. The path is handed over instead.
    program = f"import sys; sys.path[:] = {sys.path!r}\n{PROGRAM}"
    command = [sys.executable, "-I", "-S", "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_cached_token_imports_neither_http_nor_crypto_of_tokens(shared: Shared) -> None:
    options = shared.options
    found = loaded(options["folder"], options["issuer"], options["client_id"])
    assert "cryptography" in found  # the record is decrypted
    assert not found & HEAVY
