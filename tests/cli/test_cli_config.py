"""Profiles: where they come from, in which order, and how they are written."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oidcclient
from oidcclient.cli import clients, config, saving, settings
from tests.cli.calling import Desk

ISSUER, CLIENT_ID = "https://login.example.com", "cli"


@pytest.fixture
def write(desk: Desk) -> Any:
    """Write the configuration file."""
    return lambda text: desk.config.write_text(text, "utf-8")


TWO = f"""
[profiles.work]
issuer = "{ISSUER}"
client_id = "cli"
[profiles.home]
issuer = "https://home.example.com"
client_id = "home"
client_secret_file = "secret"
"""


def test_options_go_before_variables_and_variables_before_the_file(desk: Desk, write: Any) -> None:
    write(f'default_profile = "home"{TWO}')
    assert settings.resolve(None, {}).name == "home"
    desk.set(PROFILE="work")
    assert settings.resolve(None, {}).name == "work"
    assert settings.resolve("home", {}).name == "home"
    assert settings.resolve("home", {"scopes": ["openid"], "prompt": None}).values["scopes"] == ["openid"]


def test_variables_alone_are_enough(desk: Desk) -> None:
    desk.set(ISSUER=ISSUER, CLIENT_ID=CLIENT_ID)
    found = settings.resolve(None, {})
    assert (found.name, found.profile, found.issuer, found.client_id) == (None, "default", ISSUER, CLIENT_ID)
    assert settings.resolve(None, {"client_id": "another"}).client_id == "another"


def test_a_profile_that_is_named_is_not_sent_elsewhere_by_variables(desk: Desk, write: Any) -> None:
    write(TWO)
    desk.set(ISSUER="https://elsewhere.example.com", CLIENT_ID="x")
    assert settings.resolve("home", {}).issuer == "https://home.example.com"
    desk.set(PROFILE="home")
    with pytest.raises(oidcclient.UsageError, match="another issuer"):
        settings.resolve(None, {})


def test_an_option_that_contradicts_the_profile_is_refused(desk: Desk, write: Any) -> None:
    write(TWO)
    for flags in ({"issuer": "https://elsewhere.example.com"}, {"client_id": "x"}):
        with pytest.raises(oidcclient.UsageError, match="has another"):
            settings.resolve("home", flags)


def test_without_a_profile_nothing_of_the_file_is_used(desk: Desk, write: Any) -> None:
    write(f'default_profile = "home"{TWO}')
    found = settings.resolve(None, {"issuer": "https://elsewhere.example.com", "client_id": "x"})
    assert found.values == {"issuer": "https://elsewhere.example.com", "client_id": "x"}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", None),
        (TWO, None),
        (f'default_profile = "home"{TWO}', "home"),
        ('[profiles.one]\nissuer = "x"', "one"),
        ('[profiles.one]\n[profiles.default]\nissuer = "x"', "default"),
    ],
)
def test_the_default_is_what_is_named_or_what_there_is(desk: Desk, write: Any, text: str, chosen: str | None) -> None:
    write(text)
    assert config.read_config().choose() == chosen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "no TOML"),
        ("\xff", "no TOML"),
        ("default_profile = 1", "default_profile must be a string"),
        ("profiles = 1", "profiles are tables"),
        ("[profiles]\nwork = 1", "profiles are tables"),
        ("[profiles.work]\nissuer = 1", "issuer of the profile work must be a string"),
        ("[profiles.work]\nscopes = 'openid'", "scopes of the profile work must be a list of strings"),
        ("[profiles.work]\nports = [true]", "ports of the profile work must be a list of numbers"),
        ("[profiles.work]\ntimeout = true", "timeout of the profile work must be a number"),
        ("[profiles.work]\nqr = 1", "qr of the profile work must be true or false"),
        ("[profiles.work]\nissuer = 'https://a.example'\nclient_id = 'x'\nisuer = 'y'", "unknown key isuer"),
        ("[profiles.work]\nissuer = 'https://a.example'\nclient_id = 'x'\nzzz = 'y'", "unknown key zzz"),
        ("[profiles.work]\nissuer = 'https://a.example'", "client_id is known for the profile work"),
        ("[profiles.work]\nissuer = 'http://a.example'\nclient_id = 'x'", "is not https"),
        ("[profiles.work]\nissuer = 'https://a.example'\nclient_id = 'x'\nmetadata_file = 'no'", "metadata"),
    ],
)
def test_a_wrong_configuration_is_exit_code_3(desk: Desk, text: str, said: str) -> None:
    desk.config.write_bytes(text.encode("latin-1"))
    for words in (["token"], ["userinfo", "--json"]):
        result = desk.call(*words)
        assert result.code == 3
        assert said in result.err


def test_a_configuration_that_cannot_be_read_is_exit_code_8(desk: Desk) -> None:
    desk.config.mkdir()
    assert desk.call("token").code == 8


def test_a_profile_that_is_not_there_names_those_that_are(desk: Desk, write: Any) -> None:
    assert "--save-as nowhere" in desk.call("token", "nowhere").err
    write(TWO)
    result = desk.call("token", "nowhere")
    assert result.code == 3
    assert "There are: work, home." in result.err
    assert desk.call("token", "../etc").code == 3


@given(st.text(min_size=1, max_size=70))
def test_a_name_is_accepted_only_if_it_is_plain(name: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    plain = set(name) <= allowed and name[0] not in "-." and len(name) <= 64 and name.strip("._-") != ""
    try:
        assert config.check_name(name) == name
    except oidcclient.UsageError:
        assert not plain
    else:
        assert plain


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
        st.one_of(st.text(), st.booleans(), st.integers(-(1 << 60), 1 << 60), st.lists(st.text())),
    )
)
def test_what_is_saved_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text('# a comment\nother = 1 # kept\n\n[elsewhere]\nx = "y"\n', "utf-8")
    saving.save_profile(str(path), "work", values)
    text = path.read_text("utf-8")
    assert tomllib.loads(text) == {"other": 1, "elsewhere": {"x": "y"}, "profiles": {"work": values}}
    assert "# a comment" in text
    assert "other = 1 # kept" in text


def test_a_file_that_is_no_toml_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("nonsense", "utf-8")
    with pytest.raises(oidcclient.UsageError):
        saving.save_default(str(path), "work")
    assert path.read_text("utf-8") == "nonsense"
    with pytest.raises(oidcclient.StoreError):
        saving.save_default(str(path / "below" / "config.toml"), "work")


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "config.toml"
    real.write_text("", "utf-8")
    link.symlink_to(real)
    saving.save_default(str(link), "work")
    assert link.is_symlink()
    assert real.read_text("utf-8") == 'default_profile = "work"\n'


def test_two_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    names = [f"p{number}" for number in range(8)]
    threads = [threading.Thread(target=saving.save_profile, args=(str(path), name, {"issuer": name})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(tomllib.loads(path.read_text("utf-8"))["profiles"]) == set(names)


@pytest.mark.parametrize(
    ("store", "kind"),
    [(None, oidcclient.KeyringStore), ("keyring", oidcclient.KeyringStore), ("file", oidcclient.FileStore)],
)
def test_the_store_is_the_keyring_unless_another_is_named(store: str | None, kind: type) -> None:
    values = {} if store is None else {"store": store}
    assert isinstance(clients.open_store(settings.Settings(None, values, config.Config("", {}))), kind)


def test_paths_in_a_profile_are_seen_from_the_files_folder(tmp_path: Path) -> None:
    held = config.Config(str(tmp_path / "config.toml"), {})
    found = settings.Settings("work", {"client_secret_file": "secret", "ca_bundle": str(tmp_path / "ca.pem")}, held)
    assert found.path("client_secret_file") == str(tmp_path / "secret")
    assert found.path("ca_bundle") == str(tmp_path / "ca.pem")
    assert found.path("metadata_file") is None


def test_the_file_is_in_the_platforms_folder_unless_a_variable_names_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert config.config_path() == str(desk.config)
    monkeypatch.delenv("OIDCCLIENT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    code = "import platformdirs; print(platformdirs.user_config_path('oidcclient', appauthor=False) / 'config.toml')"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert config.config_path() == asked.stdout.strip()
