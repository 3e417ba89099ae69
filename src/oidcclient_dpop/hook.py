"""
The hook: proofs on every exchange of a session, with a key of its own (RFC 9449).

    client = oidcclient.Client(issuer=..., client_id=..., hooks=[DPoP()])

One hook object serves many sessions. What belongs to one is in its context: `state` names the key and is stored with
the session, `memory` holds the opened key and what was learnt of servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import oidcclient
from oidcclient import hooks

from .algorithms import Agreement, name_of, no_overlap
from .answers import Answer, read_answer
from .constants import AUTHORIZATION_SCHEME, JKT_PARAMETER, PROOF_HEADER, SIGNING_ALGORITHMS, TOKEN_TYPE
from .keys import KeyStore, Protection, SigningKey
from .nonces import Servers
from .proofs import ProofMaker
from .session_keys import Keys, describe

__all__ = ["DPoP"]

Context = hooks.HookContext
ALGORITHMS = ("ES256", "Ed25519", "ES384", "ES512", "PS256")  # in this order; RS256 only where it is asked for by name
BOUND = TOKEN_TYPE.lower()  # compared without case (RFC 6749 section 5.1)
_WITH_TOKEN = frozenset({hooks.ExchangeKind.USERINFO, hooks.ExchangeKind.RESOURCE})
CLOCKS_DIFFER = 30.0  # seconds; servers accept a proof that is off by about as much
MOST_OFFSET = 86_400.0  # seconds: more than any time zone set wrong; who follows further signs for other days
_MOST_RETRIES = 2  # one for a nonce, one for a clock; each reason is good once


class DPoP:
    """
    Bind tokens to a key that stays on this machine.

    Args:
        key: A key of the program's own: a private JWK, or a `SigningKey`. It serves every session and is never deleted.
            Otherwise each sign-in makes a new key.
        store: Where keys are made: a URI such as `"tpm2:"` or `"keyring:"`, or a `KeyStore`. By default the best that
            works here.
        minimum: The least protection accepted; a sign-in fails, with every store's reason, where there is none.
        algorithms: The algorithms accepted, the best first.
        require: Whether a provider that gives an unbound token is refused. False accepts Bearer tokens, knowingly.
        userinfo: How the userinfo endpoint is called: `"dpop"`; `"bearer"`, for providers that take no DPoP token there
            in the DPoP scheme; or `"skip"`, never.
        force: Use DPoP though the provider's metadata does not say that it can.

    Raises:
        oidcclient.UsageError: An argument does not fit.
    """

    name = "dpop"
    binds = True

    def __init__(
        self,
        *,
        key: Mapping[str, Any] | SigningKey | None = None,
        store: str | KeyStore | None = None,
        minimum: Protection = Protection.FILE,
        algorithms: Sequence[str] = ALGORITHMS,
        require: bool = True,
        userinfo: Literal["dpop", "bearer", "skip"] = "dpop",
        force: bool = False,
    ) -> None:
        if userinfo not in ("dpop", "bearer", "skip"):
            raise oidcclient.UsageError("userinfo must be dpop, bearer or skip", rule="userinfo", received=userinfo)
        if isinstance(algorithms, str) or not algorithms:
            raise oidcclient.UsageError("algorithms must be a list of names", rule="algorithms", received=algorithms)
        self._keys = Keys(key, store, minimum)
        self._agreement = Agreement(algorithms, force=force)
        self._require = require
        self._userinfo = userinfo

    def __repr__(self) -> str:
        return f"DPoP(minimum={self._keys.minimum.name}, require={self._require}, userinfo={self._userinfo!r})"

    # -- before anything is opened

    def prepare(self, context: Context) -> hooks.Flow[None]:
        """
        Choose an algorithm that both sides know, and make the key.

        Raises:
            oidcclient.DiscoveryRefused: The provider does not support DPoP, or no algorithm that we accept.
            oidcclient.KeyUnavailable: No key store here will do; the message has the reason of each.
        """
        listed = context.metadata.raw.get(SIGNING_ALGORITHMS)
        wanted = self._agreement.wanted(context.issuer, listed)
        key, place = self._keys.given, dict[str, Any]()
        if key is None:
            key, place = yield from self._keys.make(wanted)
        elif key.alg not in wanted:
            raise no_overlap((key.alg,), wanted)
        context.state.update(place)  # from now on it can be removed, whatever follows
        self._keys.check_minimum(key)
        maker = ProofMaker(key, name_of(key.alg, listed))
        context.state.update(alg=maker.alg, jkt=maker.jkt, protection=int(key.protection))
        context.memory["maker"] = maker

    def authorization_parameters(self, context: Context) -> hooks.Flow[Mapping[str, str]]:
        """Bind the authorization code to the key (section 10)."""
        yield from ()
        return {JKT_PARAMETER: context.state["jkt"]}

    # -- each exchange

    def exchange(
        self, context: Context, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        """Send a request with a proof; answer one nonce challenge, and one clock that differs."""
        if exchange.kind is hooks.ExchangeKind.REVOCATION:
            return proceed(exchange.request)
        if exchange.kind is hooks.ExchangeKind.USERINFO and self._userinfo != "dpop":
            return self._plain_userinfo(exchange, proceed)
        token = exchange.access_token if exchange.kind in _WITH_TOKEN else None
        if token is not None and (exchange.token_type or "").lower() != BOUND:
            self._check_unbound()
            return proceed(exchange.request)
        return self._with_proof(context, exchange, token, proceed)

    def sign(self, context: Context, method: str, url: str, token: oidcclient.AccessToken) -> hooks.Signed | None:
        """Sign a request to an API at once, once the key is open, if it does not block."""
        maker: ProofMaker | None = context.memory.get("maker")
        if maker is None or maker.blocks or maker.jkt != context.state.get("jkt") or token.type.lower() != BOUND:
            return None
        return _sign(context, maker, (method, url), token.value)

    def heard(self, context: Context, signed: hooks.Signed, values: Callable[[str], Sequence[str]]) -> None:
        """Learn from the answer."""
        _servers(context).learn(signed.memo[0], values("dpop-nonce"))

    def _with_proof(
        self, context: Context, exchange: hooks.Exchange, token: str | None, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        maker: ProofMaker | None = context.memory.get("maker")
        if maker is None or maker.jkt != context.state.get("jkt"):  # somebody has signed in again, with a new key
            maker = yield from hooks.run(lambda: self._open_key(context))
        servers = _servers(context)
        origin = servers.origin(exchange.request.url)
        reason: str | None = None
        if not exchange.repeatable and servers.should_ask(origin):
            reason = yield from self._ask_first(context, maker, exchange, proceed)
        signed = exchange.signed
        for _ in range(_MOST_RETRIES + 1):
            if signed is None:
                sign = partial(_sign, context, maker, (exchange.request.method, exchange.request.url), token)
                signed = (yield from hooks.run(sign)) if maker.blocks else sign()
            request, offset, signed = exchange.request.with_headers(*signed.headers), signed.memo[1], None
            response = yield from proceed(request) if reason is None else proceed(request, reason=reason)
            learnt = servers.learn(origin, response.all_headers("dpop-nonce"))
            if response.status < 400:  # noqa: PLR2004 - success and redirects challenge nothing
                return response
            answer = read_answer(response, with_token=token is not None)
            self._agreement.check(context.issuer, context.state.get("alg"), answer.algorithms)
            before, reason = reason, self._why_again(context, answer, (servers, origin, offset), learnt)
            if reason is None or reason == before:
                _check_no_second_challenge(answer, before)
                return response
        return response

    def _ask_first(
        self, context: Context, maker: ProofMaker, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[str]:
        """Fetch a nonce, as a challenge comes too late for a body that can be sent once; HEAD changes nothing."""
        servers = _servers(context)
        head = replace(exchange.request, method="HEAD", body=b"")
        signed = yield from hooks.run(lambda: _sign(context, maker, (head.method, head.url), exchange.access_token))
        origin, offset = signed.memo
        response = yield from proceed(head.with_headers(*signed.headers))
        learnt = servers.learn(origin, response.all_headers("dpop-nonce"))
        answer = read_answer(response, with_token=True)
        self._agreement.check(context.issuer, context.state.get("alg"), answer.algorithms)
        self._why_again(context, answer, (servers, origin, offset), learnt)
        return "asked first"

    def _why_again(
        self, context: Context, answer: Answer, server: tuple[Servers, str, float], learnt: str | None
    ) -> str | None:
        """Return why the request is worth sending again: a nonce to use, or a clock that is off; or None."""
        if answer.wants_nonce:
            return "nonce" if learnt is not None else None
        if not answer.refuses_proof or answer.date is None:
            return None
        servers, origin, used = server
        offset = answer.date - time.time()
        if abs(offset - used) <= CLOCKS_DIFFER:
            return None
        if abs(offset) > MOST_OFFSET:
            context.emit(
                oidcclient.events.Notice(
                    f"{origin} says that its clock differs by {abs(offset) / MOST_OFFSET:.0f} days, which is too much "
                    "to follow. Check this machine's clock."
                )
            )
            return None
        if abs(offset - servers.offset(origin)) > CLOCKS_DIFFER:  # else another thread has found out by now
            servers.set_offset(origin, offset)
            context.emit(
                oidcclient.events.Notice(
                    f"The clock of {origin} is {abs(offset):.0f} seconds {'ahead' if offset > 0 else 'behind'}: "
                    "proofs are dated by it. Check this machine's clock."
                )
            )
        return "clock"

    def _plain_userinfo(self, exchange: hooks.Exchange, proceed: hooks.Proceed) -> hooks.Flow[hooks.HttpResponse]:
        if self._userinfo == "skip":
            raise oidcclient.UsageError(
                "userinfo is not asked for: DPoP(userinfo='skip')",
                rule="userinfo",
                hint="Use session.user.claims, or DPoP(userinfo='dpop').",
            )
        return (yield from proceed(exchange.request.with_header("Authorization", f"Bearer {exchange.access_token}")))

    # -- tokens and keys

    def accept_token(self, context: Context, kind: hooks.ExchangeKind, response: hooks.TokenResponse) -> bool:
        """
        Refuse a token that is not bound, unless that is accepted knowingly (section 5).

        Raises:
            oidcclient.DowngradeRefused: It is not.
        """
        del context, kind
        if response.token_type.lower() == BOUND:
            return True
        if self._require:
            raise oidcclient.DowngradeRefused(
                "the provider gave a token that is not bound to the key",
                rule="token_type",
                section="RFC 9449 section 5",
                expected=TOKEN_TYPE,
                received=response.token_type,
                hint="Tell whoever runs the provider; DPoP(require=False) accepts unbound tokens.",
            )
        return False

    def _check_unbound(self) -> None:
        """
        Refuse to use an unbound token, which was accepted when that was allowed.

        Raises:
            oidcclient.LoginRequired: It is not allowed any more.
        """
        if self._require:
            raise oidcclient.LoginRequired(
                "the session's token is not bound to its key, and that is required now",
                rule="token_type",
                section="RFC 9449 section 5",
                hint="Sign in again; DPoP(require=False) accepts unbound tokens.",
            )

    def _open_key(self, context: Context) -> ProofMaker:
        maker = ProofMaker(self._keys.open(context.state), context.state.get("alg"))
        context.memory["maker"] = maker
        return maker

    def describe(self, state: Mapping[str, Any]) -> str:
        """Say in words where the key is and what that means."""
        return describe(state)

    def forget(self, state: Mapping[str, Any]) -> hooks.Flow[None]:
        """Remove the session's key."""
        yield from hooks.run(lambda: self._keys.delete(state))


def _servers(context: Context) -> Servers:
    found: Servers = context.memory.get("servers") or context.memory.setdefault("servers", Servers())
    return found


def _sign(context: Context, maker: ProofMaker, target: tuple[str, str], token: str | None) -> hooks.Signed:
    """Return the headers for one request; the memo is the origin, and how far its clock was ahead of ours."""
    method, url = target
    servers = _servers(context)
    origin = servers.origin(url)
    offset = servers.offset(origin)
    now = time.time() + offset
    proof = maker.make(method, url, now=now, access_token=token, nonce=servers.nonce(origin))
    if token is None:
        return hooks.Signed(((PROOF_HEADER, proof),), (origin, offset))
    authorization = f"{AUTHORIZATION_SCHEME} {token}"
    return hooks.Signed((("Authorization", authorization), (PROOF_HEADER, proof)), (origin, offset))


def _check_no_second_challenge(answer: Answer, before: str | None) -> None:
    if answer.wants_nonce and before == "nonce":
        raise oidcclient.ResponseRefused(
            "the server asked for a nonce again after it was given the one it sent",
            rule="use_dpop_nonce",
            section="RFC 9449 section 8",
        )
