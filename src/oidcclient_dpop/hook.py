"""
The hook: proofs on every exchange of a session, with a key of its own (RFC 9449).

    client = oidcclient.Client(issuer=..., client_id=..., hooks=[DPoP()])

One hook object serves many sessions. What belongs to one is in its context: `state` names the key and is stored with
the session, `memory` holds the opened key and what was learnt of servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import oidcclient
from oidcclient import hooks

from .answers import Answer, read_answer
from .constants import AUTHORIZATION_SCHEME, JKT_PARAMETER, PROOF_HEADER, SIGNING_ALGORITHMS, TOKEN_TYPE
from .keys import KeyStore, Protection, SigningKey
from .nonces import Servers
from .proofs import ProofMaker, thumbprint

__all__ = ["DPoP"]

Context = hooks.HookContext
ALGORITHMS = ("ES256", "Ed25519", "ES384", "ES512", "PS256")  # in this order; RS256 only where it is asked for by name
_WITH_TOKEN = frozenset({hooks.ExchangeKind.USERINFO, hooks.ExchangeKind.RESOURCE})
CLOCKS_DIFFER = 30.0  # seconds; servers accept a proof that is off by about as much
_WORDS = {
    Protection.HARDWARE: "cannot be copied off this machine",
    Protection.ISOLATED: "held apart from your programs, and not given out to them",
    Protection.KEYRING: "programs that run as you can read it",
    Protection.FILE: "whoever can read it has the key",
}
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
        if key is not None and store is not None:
            raise oidcclient.UsageError("give a key or a store, not both", rule="key")
        if userinfo not in {"dpop", "bearer", "skip"}:
            raise oidcclient.UsageError("userinfo must be dpop, bearer or skip", rule="userinfo", received=userinfo)
        self._key = _given_key(key)
        self._store = store
        self._minimum = minimum
        self._algorithms = tuple(algorithms)
        self._require = require
        self._userinfo = userinfo
        self._force = force
        self._taken: dict[str, tuple[str, ...]] = {}  # by issuer: what an API said it takes, for the next sign-in

    def __repr__(self) -> str:
        return f"DPoP(minimum={self._minimum.name}, require={self._require}, userinfo={self._userinfo!r})"

    # -- before anything is opened

    def prepare(self, context: Context) -> hooks.Flow[None]:
        """
        Choose an algorithm that both sides know, and make the key.

        Raises:
            oidcclient.DiscoveryRefused: The provider does not support DPoP, or no algorithm that we accept.
            oidcclient.KeyUnavailable: No key store here will do; the message has the reason of each.
        """
        wanted = self._wanted(context)
        if self._key is not None:
            if self._key.alg not in wanted:
                raise _no_overlap((self._key.alg,), wanted)
            _check_minimum(self._key, self._minimum)
            made: tuple[SigningKey, dict[str, Any]] = (self._key, {})
        else:
            made = yield from hooks.run(lambda: self._make_key(wanted))
        key, place = made
        jkt = thumbprint(key.public_jwk())
        context.state.update(place, alg=key.alg, jkt=jkt, protection=int(key.protection))
        context.memory.update(maker=ProofMaker(key), blocks=key.blocks)

    def _wanted(self, context: Context) -> tuple[str, ...]:
        supported = context.metadata.raw.get(SIGNING_ALGORITHMS)
        ours = _common(self._algorithms, self._taken.get(context.issuer, self._algorithms))
        if not isinstance(supported, list):
            if self._force:
                return ours
            raise oidcclient.DiscoveryRefused(
                "the provider does not say that it supports DPoP",
                rule=SIGNING_ALGORITHMS,
                section="RFC 9449 section 5.1",
                hint="Leave DPoP out for this provider; if it does support DPoP, pass DPoP(force=True).",
            )
        wanted = _common(ours, supported)
        if not wanted:
            raise _no_overlap(ours, supported)
        return wanted

    def _make_key(self, wanted: tuple[str, ...]) -> tuple[SigningKey, dict[str, Any]]:
        from .stores import create_best, default_stores, open_store  # noqa: PLC0415 - a given key needs no store

        if isinstance(self._store, str):
            candidates = [open_store(self._store)]
        else:
            candidates = default_stores() if self._store is None else [self._store]
        made = create_best(candidates, minimum=self._minimum, algorithms=wanted)
        return made.key, {"store": made.store.uri, "handle": made.handle, "title": made.store.title}

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
        if token is not None and (exchange.token_type or "").lower() != TOKEN_TYPE.lower():
            return proceed(exchange.request)  # a Bearer token, accepted with require=False
        return self._with_proof(context, exchange, token, proceed)

    def sign(self, context: Context, method: str, url: str, token: oidcclient.AccessToken) -> hooks.Signed | None:
        """Sign a request to an API at once, once the key is open, if it does not block."""
        if context.memory.get("blocks", True) or token.type.lower() != TOKEN_TYPE.lower():
            return None
        return _sign(context, method, url, token.value)

    def heard(self, context: Context, signed: hooks.Signed, values: Callable[[str], Sequence[str]]) -> None:
        """Learn from the answer."""
        _servers(context).learn(signed.memo[0], values("dpop-nonce"))

    def _with_proof(
        self, context: Context, exchange: hooks.Exchange, token: str | None, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        if "maker" not in context.memory:
            yield from hooks.run(lambda: self._open_key(context))
        servers = _servers(context)
        origin = servers.origin(exchange.request.url)
        reason: str | None = None
        if not exchange.repeatable and servers.should_ask(origin):
            reason = yield from self._ask_first(context, exchange, (servers, origin), proceed)
        signed = exchange.signed
        for _ in range(_MOST_RETRIES + 1):
            if signed is None:
                sign = partial(_sign, context, exchange.request.method, exchange.request.url, token)
                signed = (yield from hooks.run(sign)) if context.memory["blocks"] else sign()
            request, offset, signed = exchange.request.with_headers(*signed.headers), signed.memo[1], None
            response = yield from proceed(request) if reason is None else proceed(request, reason=reason)
            learnt = servers.learn(origin, response.all_headers("dpop-nonce"))
            if response.status < 400:  # noqa: PLR2004 - success and redirects challenge nothing
                return response
            answer = read_answer(response, with_token=token is not None)
            self._check_algorithm(context, answer)
            before, reason = reason, self._why_again(context, answer, (servers, origin, offset), learnt)
            if reason is None or reason == before:
                _check_no_second_challenge(answer, before)
                return response
        return response

    def _ask_first(
        self, context: Context, exchange: hooks.Exchange, server: tuple[Servers, str], proceed: hooks.Proceed
    ) -> hooks.Flow[str]:
        """Fetch a nonce, as a challenge comes too late for a body that can be sent once; HEAD changes nothing."""
        servers, origin = server
        head = replace(exchange.request, method="HEAD", body=b"")
        signed = yield from hooks.run(lambda: _sign(context, head.method, head.url, exchange.access_token))
        offset = signed.memo[1]
        response = yield from proceed(head.with_headers(*signed.headers))
        learnt = servers.learn(origin, response.all_headers("dpop-nonce"))
        answer = read_answer(response, with_token=True)
        self._check_algorithm(context, answer)
        self._why_again(context, answer, (servers, origin, offset), learnt)
        return "asked first"

    def _check_algorithm(self, context: Context, answer: Answer) -> None:
        """
        Stop where an API takes no proof of this key (section 7.1); the next sign-in makes one that it takes.

        Raises:
            oidcclient.LoginRequired: It does not.
        """
        alg = context.state.get("alg")
        if not answer.algorithms or not isinstance(alg, str) or _common((alg,), answer.algorithms):
            return
        if common := _common(self._algorithms, answer.algorithms):
            self._taken[context.issuer] = common
        raise oidcclient.LoginRequired(
            "the API takes no proof that is signed with this key's algorithm",
            rule="algs",
            section="RFC 9449 section 7.1",
            expected=" ".join(answer.algorithms),
            received=alg,
            hint="Sign in again, for a key that it takes. DPoP(algorithms=...) names such algorithms from the start.",
        )

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
        if response.token_type.lower() == TOKEN_TYPE.lower():
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

    def _open_key(self, context: Context) -> None:
        """Open the key that the session names; it is never replaced and never downgraded."""
        state = context.state
        if not isinstance(state.get("jkt"), str):
            raise oidcclient.KeyLost("the session does not say which key it is bound to", rule="jkt")
        key = self._key
        if "handle" in state:
            key = self._store_of(state).load(state["handle"])
        if key is None or thumbprint(key.public_jwk()) != state["jkt"]:
            raise oidcclient.KeyLost("the key found is not the one that the session is bound to", rule="jkt")
        if key.protection < state.get("protection", 0):
            raise oidcclient.KeyLost("the key is kept less well than when the session began", rule="protection")
        _check_minimum(key, self._minimum)
        context.memory.update(maker=ProofMaker(key), blocks=key.blocks)

    def describe(self, state: Mapping[str, Any]) -> str:
        """Say in words where the key is and what that means."""
        title = state.get("title", "the program's own key")
        words = _WORDS[Protection(state.get("protection", 0))]
        return f"{title}: {words} (thumbprint {state.get('jkt', 'unknown')})"

    def forget(self, state: Mapping[str, Any]) -> hooks.Flow[None]:
        """Remove the session's key."""
        if "handle" not in state:
            return
        yield from hooks.run(lambda: self._store_of(state).delete(state["handle"]))

    def _store_of(self, state: Mapping[str, Any]) -> KeyStore:
        """Return the store of a session's key; the program's own words for it may hold a PIN, the session's do not."""
        from .stores import open_store  # noqa: PLC0415 - as above

        if isinstance(self._store, KeyStore):
            return self._store
        named = None if self._store is None else open_store(self._store)
        return named if named is not None and named.uri == state["store"] else open_store(state["store"])


def _servers(context: Context) -> Servers:
    found: Servers = context.memory.get("servers") or context.memory.setdefault("servers", Servers())
    return found


def _sign(context: Context, method: str, url: str, token: str | None) -> hooks.Signed:
    """Return the headers for one request; the memo is the origin, and how far its clock was ahead of ours."""
    maker: ProofMaker = context.memory["maker"]
    servers = _servers(context)
    origin = servers.origin(url)
    offset = servers.offset(origin)
    now = time.time() + offset
    proof = maker.make(method, url, now=now, access_token=token, nonce=servers.nonce(origin))
    if token is None:
        return hooks.Signed(((PROOF_HEADER, proof),), (origin, offset))
    authorization = f"{AUTHORIZATION_SCHEME} {token}"
    return hooks.Signed((("Authorization", authorization), (PROOF_HEADER, proof)), (origin, offset))


def _given_key(key: Mapping[str, Any] | SigningKey | None) -> SigningKey | None:
    if not isinstance(key, Mapping):
        return key
    from .stores.software_forms import from_jwk  # noqa: PLC0415 - as above

    return from_jwk(key)


def _common(ours: Sequence[str], theirs: Collection[Any]) -> tuple[str, ...]:
    return tuple(name for name in ours if name in theirs or _other_name(name) in theirs)


def _other_name(alg: str) -> str:
    """RFC 9864 gave EdDSA with Ed25519 the name Ed25519; either may be listed."""
    return {"Ed25519": "EdDSA", "EdDSA": "Ed25519"}.get(alg, alg)


def _no_overlap(ours: Sequence[str], theirs: Sequence[str]) -> oidcclient.DiscoveryRefused:
    return oidcclient.DiscoveryRefused(
        "no DPoP algorithm is common to the provider and the key",
        rule=SIGNING_ALGORITHMS,
        section="RFC 9449 section 5.1",
        expected=", ".join(ours),
        received=", ".join(map(str, theirs)),
        hint="Pass DPoP(algorithms=...) with one that the provider lists.",
    )


def _check_minimum(key: SigningKey, minimum: Protection) -> None:
    if key.protection < minimum:
        raise oidcclient.KeyUnavailable(
            f"the key is {key.protection.name}, and {minimum.name} is demanded", rule="minimum"
        )


def _check_no_second_challenge(answer: Answer, before: str | None) -> None:
    if answer.wants_nonce and before == "nonce":
        raise oidcclient.ResponseRefused(
            "the server asked for a nonce again after it was given the one it sent",
            rule="use_dpop_nonce",
            section="RFC 9449 section 8",
        )
