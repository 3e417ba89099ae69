"""
`oidcclient kubectl-credential`, which kubectl runs.

The protocol is that of "Client Authentication (v1)" and "(v1beta1)" in the Kubernetes documentation, Reference,
Configuration APIs (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/), and of "client-go
credential plugins" in its page on authenticating: kubectl says in a variable what it wants, and reads stdout.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import click

import oidcclient
from oidcclient import LoginRequired, TransportError, UsageError
from oidcclient.cli import options, output
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings

__all__ = ["command"]

EXEC_INFO = "KUBERNETES_EXEC_INFO"
GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
MARGIN = 60  # seconds that a token must be good for still: kubectl goes on using it until it ends


@click.command(
    "kubectl-credential",
    short_help="Give kubectl a token; kubectl runs it.",
    help="Write an ExecCredential with the ID Token for kubectl, renewed if need be. The API server takes the ID Token "
    "as a bearer token and checks no proofs, so an access token that is bound by DPoP would be of no use there. "
    "A browser opens only if kubectl has a terminal to offer.",
)
@options.profile
@options.identity
@options.common
def command(run: Run, profile: str | None, **flags: Any) -> None:
    """Write a credential."""
    version, interactive = wanted(os.environ.get(EXEC_INFO))
    settings = run.settings(profile, **flags)
    session = fresh_session(run, settings, interactive=interactive)
    output.result(output.json_text(credential(version, session.id_token, session.user.claims)))


def wanted(info: str | None) -> tuple[str, bool]:
    """
    Return the version that kubectl speaks, and whether there is a person who can sign in.

    Args:
        info: What the variable says; None where a person runs the command by hand.

    Raises:
        UsageError: It says nothing that is understood.
    """
    if not info:
        return VERSIONS[0], output.can_ask()
    try:
        request = json.loads(info)
        version, spec = request["apiVersion"], request.get("spec") or {}
        interactive = spec.get("interactive", False)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UsageError(f"{EXEC_INFO} holds no ExecCredential", rule=EXEC_INFO, hint="Let kubectl set it.") from None
    if version not in VERSIONS:
        raise UsageError(
            "kubectl asks for a version that is not known here",
            rule="apiVersion",
            expected=" or ".join(VERSIONS),
            received=version,
            hint=f"Write apiVersion: {VERSIONS[0]} in the kubeconfig.",
        )
    return version, interactive is True


def fresh_session(run: Run, settings: Settings, *, interactive: bool) -> oidcclient.Session:
    """
    Return a session whose ID Token is good.

    Raises:
        LoginRequired: There is none, and nobody can be asked to sign in.
    """
    try:
        session = run.client(settings).session()
        renew(session)
    except LoginRequired:
        if not interactive:
            raise
        return sign_in(run, settings)
    if lifetime(session.user.claims) > 0:
        return session
    if interactive:
        return sign_in(run, settings)
    raise LoginRequired(
        "the ID Token has expired, and the provider gives no new one at a refresh",
        rule="exp",
        hint="Sign in again: oidcclient login. A provider that renews ID Tokens spares you that.",
    )


def renew(session: oidcclient.Session) -> None:
    """Refresh the session if its ID Token ends soon."""
    left = lifetime(session.user.claims)
    if left > MARGIN:
        return
    try:
        session.refresh()
    except TransportError:
        if left <= 0:
            raise


def lifetime(claims: Mapping[str, Any]) -> float:
    """Return for how long an ID Token is good, in seconds; `exp` is required (OIDC Core 2)."""
    return float(claims["exp"]) - time.time()


def sign_in(run: Run, settings: Settings) -> oidcclient.Session:
    """Sign the person in; kubectl's stdout hears nothing of it."""
    from oidcclient.cli.commands import login  # noqa: PLC0415 - only where somebody signs in
    from oidcclient.cli.ways import way_of  # noqa: PLC0415 - only where somebody signs in

    return login.sign_in(run, settings, run.store(settings), way_of(settings))


def credential(version: str, id_token: str, claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return what kubectl reads; the version must be the one that it asked for."""
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"]))  # RFC 3339
    status = {"expirationTimestamp": ends, "token": id_token}
    return {"apiVersion": version, "kind": "ExecCredential", "status": status}
