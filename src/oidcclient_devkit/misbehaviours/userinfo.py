"""Userinfo answers that a client must refuse."""

from collections.abc import Mapping

from .documents import body, huge, redirect, slow
from .id_token import alg_none, drop, foreign_signature, put
from .kinds import BadAnswer, BadDraft

USERINFO: Mapping[str, BadAnswer | BadDraft] = {
    "other_sub": BadDraft("is about somebody else", put(sub="u-somebody-else")),
    "no_sub": BadDraft("has no sub", drop("sub")),
    "wrong_key": BadDraft("is signed by another key (signed answers only)", foreign_signature),
    "alg_none": BadDraft("is signed with alg none (signed answers only)", alg_none),
    "no_iss": BadDraft("has no iss (signed answers only)", drop("iss")),
    "no_aud": BadDraft("has no aud (signed answers only)", drop("aud")),
    "wrong_aud": BadDraft("is meant for another client (signed answers only)", put(aud="another-client")),
    "not_json": BadAnswer("is a web page", body(b"<!doctype html><title>Welcome</title>", "text/html")),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", huge),
    "redirect_to_other_host": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/userinfo")
    ),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}
