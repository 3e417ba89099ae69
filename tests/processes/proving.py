"""
A program that stays alive, asks for a token when it is told to, and calls the API with a proof.

Each line of stdin is a command in JSON, each line of stdout its answer. It ends when its stdin does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import oidcclient
from oidcclient_dpop import DPoP
from tests.processes.worker import answer, set_ahead, settings


def run(session: oidcclient.Session, api: str, at: float) -> dict[str, Any]:
    """Refresh and call, and tell what came of it."""
    time.sleep(max(0.0, at - time.monotonic()))
    try:
        token = session.access_token()
        with session.http(api, trust_env=False) as http:
            response = http.get("/me")
    except oidcclient.OidcError as error:
        return {"error": repr(error)}
    return {"type": token.type, "value": token.value, "status": response.status_code, "key": session.describe()}


def serve(options: Mapping[str, str]) -> None:
    """Do as told."""
    with oidcclient.Client(**settings(options), hooks=[DPoP(store=options["keys"])]) as client:
        session = client.session()
        answer("ready")
        for line in sys.stdin:
            command = json.loads(line)
            set_ahead(client, command["ahead"])
            answer(run(session, options["api"], command["at"]))


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
