"""`oidcclient kubectl-credential`, by the documented protocol and with a real kubectl."""

from __future__ import annotations

import calendar
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oidcclient_dpop import DPoP
from tests.cli.calling import Desk, check_shape
from tests.cli.secure_server import secure_server
from tests.cli.terminal import Terminal
from tests.cli.test_cli_token import claims_of

V1, V1BETA1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"


def asking(version: str = V1, *, interactive: object = False) -> dict[str, str]:
    spec = {"interactive": interactive, "cluster": {"server": "https://k8s.example.com"}}
    return {"KUBERNETES_EXEC_INFO": json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})}


@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_the_answer_is_of_the_version_asked_for(work: Desk, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("KUBERNETES_EXEC_INFO", asking(version)["KUBERNETES_EXEC_INFO"])
    result = work.call("kubectl-credential", "work")
    assert (result.code, result.err) == (0, "")
    check_shape("exec-credential", result.json)
    assert result.json["apiVersion"] == version
    claims = claims_of(result.json["status"]["token"])
    assert claims["email"] == "ann@example.com"
    assert claims["aud"] in (work.provider.client_id, [work.provider.client_id])
    ends = time.strptime(result.json["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    assert calendar.timegm(ends) == claims["exp"]


def test_run_by_hand_the_newest_version_is_written(work: Desk) -> None:
    assert work.call("kubectl-credential").json["apiVersion"] == V1


@pytest.mark.parametrize("left", [-1, 30])
def test_an_id_token_that_ends_soon_is_renewed(work: Desk, left: float) -> None:
    session = work.sign_in()
    work.age(session, session.user.claims["exp"] - time.time() - left)
    assert claims_of(work.call("kubectl-credential").json["status"]["token"])["exp"] > time.time() + 60  # type: ignore[operator] # a number
    assert work.provider.requests.of("token")[-1].value("grant_type") == "refresh_token"


def test_an_id_token_that_is_good_is_not_renewed(work: Desk) -> None:
    work.provider.requests.clear()
    assert work.call("kubectl-credential").code == 0
    assert not work.provider.count("token")


@pytest.mark.parametrize(("left", "code"), [(30, 0), (-1, 7)])
def test_a_provider_that_is_away_matters_only_when_the_id_token_has_ended(work: Desk, left: float, code: int) -> None:
    session = work.sign_in()
    work.age(session, session.user.claims["exp"] - time.time() - left)
    work.provider.misbehave("token.unavailable")
    assert work.call("kubectl-credential").code == code


def test_an_id_token_that_is_not_renewed_needs_a_sign_in(work: Desk) -> None:
    work.age(work.sign_in(), 400)
    work.provider.misbehave("id_token.absent")
    result = work.run("kubectl-credential", env=asking())
    assert (result.code, result.out) == (4, "")
    assert "no new one" in result.err


def test_nothing_is_opened_where_nobody_is(desk: Desk) -> None:
    desk.profile()
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    for interactive in (False, None, "true", 1):
        result = desk.run("kubectl-credential", env=asking(interactive=interactive))
        assert (result.code, result.out) == (4, "")
        assert "oidcclient login" in result.err
    assert not desk.provider.count("authorize")


def test_a_person_at_a_terminal_can_sign_in(desk: Desk) -> None:
    desk.profile()
    desk.provider.sign_in_as("ann")
    with Terminal(
        "kubectl-credential", env={**asking(interactive=True), "OIDCCLIENT_FLOW": "browser"}, stdout=False
    ) as terminal:
        assert terminal.process.stdout is not None
        written = terminal.process.stdout.read()
        assert terminal.end() == 0
    check_shape("exec-credential", json.loads(written))
    assert "Opening your browser" in terminal.shown


def test_a_person_signs_in_again_where_the_provider_renews_nothing(work: Desk) -> None:
    work.age(work.sign_in(), 400)
    work.provider.misbehave("id_token.absent", times=1)
    work.provider.sign_in_as("ann")
    env = {**asking(interactive=True), "OIDCCLIENT_FLOW": "browser"}
    result = work.run("kubectl-credential", env=env)
    assert (result.code, "Opening your browser" in result.err) == (0, True)
    check_shape("exec-credential", result.json)


@pytest.mark.parametrize(
    "info",
    [
        "x",
        "[]",
        "{}",
        '{"apiVersion": "client.authentication.k8s.io/v1alpha1"}',
        '{"apiVersion": 1}',
        '{"apiVersion": "client.authentication.k8s.io/v1", "spec": 7}',
    ],
)
def test_what_is_no_question_of_kubectl_is_exit_code_3(work: Desk, info: str) -> None:
    result = work.run("kubectl-credential", env={"KUBERNETES_EXEC_INFO": info})
    assert (result.code, result.out) == (3, "")


def test_a_question_without_a_spec_is_one_without_a_person(desk: Desk) -> None:
    desk.profile()
    assert desk.run("kubectl-credential", env={"KUBERNETES_EXEC_INFO": json.dumps({"apiVersion": V1})}).code == 4


def test_the_id_token_of_a_bound_session_is_no_bound_token(desk: Desk) -> None:
    keys = f"file:{desk.folder.as_posix()}/keys"
    desk.profile(dpop=True, key_store=keys)
    session = desk.sign_in(hooks=[DPoP(store=keys)])
    result = desk.call("kubectl-credential")
    assert result.json["status"]["token"] == session.id_token
    assert "cnf" not in claims_of(session.id_token)


def test_a_real_kubectl_sends_the_id_token(work: Desk, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    assert kubectl is not None, "kubectl is not installed: tools/parts.py"
    token = work.sign_in().id_token
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "answer").write_text("you are in\n", "utf-8")
    with secure_server(tmp_path / "cluster") as server:
        server.accepted = f"Bearer {token}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": server.url, "certificate-authority": str(server.certificate)}}
            ],
            "users": [
                {
                    "name": "u",
                    "user": {
                        "exec": {
                            "apiVersion": V1BETA1,
                            "command": sys.executable,
                            "args": ["-m", "oidcclient", "kubectl-credential", "work"],
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config), "utf-8")
        done = subprocess.run(
            [kubectl, "get", "--raw", "/answer"],
            env={
                **os.environ,
                "KUBECONFIG": str(tmp_path / "kubeconfig"),
                "HOME": str(tmp_path),
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "you are in\n"), done.stderr
