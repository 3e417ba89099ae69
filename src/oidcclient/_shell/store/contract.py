# ruff: noqa: S101 - these are tests, though they are shipped
"""
What every store promises, as tests: subclass `StoreContract`, say how a store is made, and let pytest find it.

    class TestOurStore(StoreContract):
        def make_store(self, tmp_path):
            return OurStore(tmp_path)

Each call of `make_store` with the same folder returns a store that sees the same sessions, as another process would;
where sessions do not outlive the store object, set `shared = False`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from oidcclient._words.record import RecordKey, Store
from oidcclient._words.values import AccessToken

from .contract_parts import CLIENT_ID, GROUP, ISSUER, THREADS, example_record, in_threads

__all__ = ["StoreContract"]


class StoreContract:
    """The tests. They take only a fixture named `tmp_path`, which pytest brings."""

    shared = True  # whether two stores of the same folder see the same sessions

    def make_store(self, tmp_path: Path) -> Store:
        """Return a store that keeps its sessions in this folder, if it keeps them in files."""
        raise NotImplementedError

    def other_store(self, store: Store, tmp_path: Path) -> Store:
        """Return a second store over the same sessions."""
        return self.make_store(tmp_path) if self.shared else store

    def test_a_probe_finds_a_working_store_and_stores_nothing(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.probe()
        store.probe()
        assert store.records(*GROUP) == ()

    def test_an_empty_store_has_nothing(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        assert store.current(*GROUP) is None
        assert store.records(*GROUP) == ()
        assert store.load(RecordKey(*GROUP, "ann")) is None

    def test_a_record_is_made_current_without_being_saved(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        ann, bob = example_record("ann"), example_record("bob")
        store.save(ann, current=True)
        store.save(bob, current=True)
        store.make_current(ann.key)
        assert self.other_store(store, tmp_path).current(*GROUP) == ann
        store.make_current(RecordKey(*GROUP, "nobody"))
        assert store.current(*GROUP) == ann
        assert {record.account for record in store.records(*GROUP)} == {"ann", "bob"}

    def test_every_field_comes_back(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        record = example_record()
        store.save(record)
        assert self.other_store(store, tmp_path).load(record.key) == record

    def test_fields_that_hold_nothing_come_back(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        record = replace(
            example_record(id_token="", refresh_token=None, metadata=None, keys=None, claims={}, tokens={}),
            scopes=(),
            resources=(),
            hook_state={},
            binding_hooks=(),
        )
        store.save(record)
        assert self.other_store(store, tmp_path).load(record.key) == record

    def test_tokens_of_ten_kilobytes_are_kept(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        tokens = {f"https://{n}.example.com": AccessToken(f"{n}" * 10_000, "Bearer", 1.0, ()) for n in range(10)}
        record = example_record(tokens=tokens, refresh_token="r" * 10_000, id_token="i" * 10_000)
        store.save(record)
        assert self.other_store(store, tmp_path).load(record.key) == record

    def test_names_may_hold_any_character(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        names = ["Büro", "仕事", "../..", "a/b", "a\\b", "CON", "nul.txt", " ", "a\nb", "", "😀", "a" * 1000, "A", "a"]
        for name in names:
            store.save(example_record(account=name, profile=name))
        found = self.other_store(store, tmp_path)
        for name in names:
            assert [record.account for record in found.records(name, ISSUER, CLIENT_ID)] == [name]
            assert found.load(RecordKey(name, ISSUER, CLIENT_ID, name)) == example_record(account=name, profile=name)

    def test_a_record_is_replaced_by_the_next(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.save(example_record())
        newer = example_record(scopes=("openid",))
        store.save(newer)
        assert store.load(newer.key) == newer
        assert store.records(*GROUP) == (newer,)

    def test_profiles_issuers_clients_and_accounts_are_kept_apart(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        others = [
            example_record(),
            example_record(account="bob"),
            example_record(profile="work"),
            example_record(issuer=ISSUER + "/"),
            example_record(client_id="another-app"),
        ]
        for number, record in enumerate(others):
            store.save(replace(record, refresh_token=str(number)))
        for number, record in enumerate(others):
            found = store.load(record.key)
            assert found is not None
            assert (found.key, found.refresh_token) == (record.key, str(number))
        assert {record.account for record in store.records(*GROUP)} == {"ann", "bob"}
        assert len(store.records("work", ISSUER, CLIENT_ID)) == 1

    def test_the_first_record_of_a_client_is_the_current_one(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        for account in ("zoe", "ann", "bob"):
            store.save(example_record(account))
        self._check_current(self.other_store(store, tmp_path), "zoe")

    def test_a_record_saved_as_current_is_the_current_one(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.save(example_record("ann"))
        store.save(example_record("bob"), current=True)
        store.save(example_record("ann"))  # a refresh of the other one changes nothing
        self._check_current(self.other_store(store, tmp_path), "bob")
        store.save(example_record("ann"), current=True)
        self._check_current(self.other_store(store, tmp_path), "ann")

    def _check_current(self, store: Store, account: str) -> None:
        current = store.current(*GROUP)
        assert current is not None
        assert current.account == account
        assert store.records(*GROUP)[0] == current

    def test_a_deleted_record_is_gone_and_the_others_are_not(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.save(example_record("ann"))
        store.save(example_record("bob"))
        store.delete(example_record("ann").key)
        store.delete(example_record("ann").key)
        store.delete(example_record("never there").key)
        found = self.other_store(store, tmp_path)
        assert found.load(example_record("ann").key) is None
        self._check_current(found, "bob")
        store.delete(example_record("bob").key)
        assert store.current(*GROUP) is None

    def test_after_a_delete_the_next_first_one_is_current(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.save(example_record("ann"))
        store.delete(example_record("ann").key)
        store.save(example_record("bob"))
        self._check_current(store, "bob")

    def test_a_lock_excludes_everybody_until_it_is_released(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        other = self.other_store(store, tmp_path)
        key = example_record().key
        held = store.try_lock(key)
        assert held is not None
        assert store.try_lock(key) is None
        assert other.try_lock(key) is None
        assert in_threads(lambda _: other.try_lock(key)) == [None] * THREADS
        held.release()
        held.release()
        again = other.try_lock(key)
        assert again is not None
        held.release()  # the first one has no part in the second one's lock
        assert store.try_lock(key) is None
        again.release()

    def test_a_lock_may_be_released_by_another_thread(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        held = store.try_lock(example_record().key)
        assert held is not None
        thread = threading.Thread(target=held.release)
        thread.start()
        thread.join()
        again = store.try_lock(example_record().key)
        assert again is not None
        again.release()

    def test_one_of_many_threads_gets_the_lock(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        key = example_record().key
        locks = in_threads(lambda _: self.other_store(store, tmp_path).try_lock(key))
        got = [lock for lock in locks if lock is not None]
        assert len(got) == 1
        got[0].release()

    def test_locks_of_different_records_do_not_touch(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        locks = [store.try_lock(example_record(account).key) for account in ("ann", "bob")]
        for lock in locks:
            assert lock is not None
            lock.release()

    def test_a_locked_record_can_be_read_saved_and_deleted(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        record = example_record()
        held = store.try_lock(record.key)
        assert held is not None
        store.save(record)
        assert store.load(record.key) == record
        store.delete(record.key)
        held.release()
        assert store.load(record.key) is None

    def test_nothing_is_lost_when_threads_save_at_once(self, tmp_path: Path) -> None:
        first = self.make_store(tmp_path)

        def save(number: int) -> None:
            store = self.other_store(first, tmp_path)
            for turn in range(5):
                store.save(example_record(f"user {number}", refresh_token=f"{number} {turn}"), current=turn == 1)
                found = store.load(example_record(f"user {number}").key)
                assert found is not None
                assert found.refresh_token == f"{number} {turn}"

        in_threads(save)
        found = self.other_store(first, tmp_path).records(*GROUP)
        assert {record.refresh_token for record in found} == {f"{number} 4" for number in range(THREADS)}
        assert first.current(*GROUP) == found[0]

    def test_a_reader_sees_one_save_or_the_other_and_never_half_of_one(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        record = example_record(refresh_token="0" * 5000)
        store.save(record)

        def work(number: int) -> None:
            mine = self.other_store(store, tmp_path)
            for turn in range(10):
                if number % 2:
                    mine.save(replace(record, refresh_token=str(turn) * 5000))
                    continue
                found = mine.load(record.key)
                assert found is not None
                assert found.refresh_token is not None
                assert found.refresh_token == found.refresh_token[0] * 5000

        in_threads(work)

    def test_no_repr_shows_a_secret(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.save(example_record())
        held = store.try_lock(example_record().key)
        assert held is not None
        assert "made-up" not in f"{store!r} {held!r} {store.load(example_record().key)!r}"
        held.release()
