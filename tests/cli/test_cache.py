"""The cache: one making for each key, damage found, concurrent makers, folders that cannot be written."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tvm_wvv.micro import cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WVV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    def __init__(self, contents: bytes = b"whole") -> None:
        self.contents, self.times = contents, 0

    def __call__(self, path: Path) -> None:
        self.times += 1
        path.write_bytes(self.contents)


def test_a_second_fetch_makes_nothing(folder: Path):
    make = Maker()
    first = cache.fetch("k", ".elf", make)
    assert cache.fetch("k", ".elf", make) == first
    assert (make.times, first.read_bytes(), list(folder.iterdir())) == (1, b"whole", [first])


def test_keys_and_suffixes_are_apart():
    make = Maker()
    paths = {cache.fetch(key, suffix, make) for key in ("a", "ab") for suffix in (".elf", ".host")}
    assert (len(paths), make.times) == (4, 4)


@pytest.mark.parametrize("damage", [b"", b"whol", b"wholf", b"whole\0"])
def test_a_damaged_file_is_made_again(folder: Path, damage: bytes):
    make = Maker()
    cache.fetch("k", ".elf", make).write_bytes(damage)
    again = cache.fetch("k", ".elf", make)
    assert (make.times, again.read_bytes(), list(folder.iterdir())) == (2, b"whole", [again])


def test_a_failed_making_leaves_nothing(folder: Path):
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fetch("k", ".elf", fail)
    assert list(folder.iterdir()) == []


def test_two_makers_at_once_both_get_a_whole_file(folder: Path):
    both_inside = threading.Barrier(2, timeout=10)
    paths = []

    def make(path: Path) -> None:
        path.write_bytes(b"half")
        both_inside.wait()
        path.write_bytes(b"whole")

    threads = [threading.Thread(target=lambda: paths.append(cache.fetch("k", ".elf", make))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in paths] == [b"whole", b"whole"]
    assert len(list(folder.iterdir())) == 1


def test_where_no_folder_can_be_made_files_are_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("WVV_CACHE", str(tmp_path / "file" / "cache"))
    make = Maker()
    path = cache.fetch("k", ".elf", make)
    assert path.read_bytes() == b"whole"
    assert not path.is_relative_to(tmp_path)


def test_files_unused_for_a_month_go(folder: Path):
    old = cache.fetch("old", ".elf", Maker())
    recent = cache.fetch("recent", ".elf", Maker())
    os.utime(old, (time.time() - 40 * 24 * 3600,) * 2)
    cache.fetch("new", ".elf", Maker())
    assert not old.exists()
    assert recent.exists()


def test_folder_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert cache.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("WVV_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x/cache")
    assert cache.cache_folder() == Path("/x/cache/wvv")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "wvv"


def test_keys_depend_on_every_part_and_its_borders():
    keys = {cache.key_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["c", "ab"], [])}
    assert len(keys) == 6
    assert cache.key_of([b"a", "b"]) == cache.key_of(["a", b"b"])
