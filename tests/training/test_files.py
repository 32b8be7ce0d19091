import errno
import json
import os
import stat

import pytest

from amble.errors import AmbleError
from amble.training import files

FORMAT = {"format": "thing", "format_version": 1}


def read(directory, names=("a", "b")):
    return files.read_sealed(directory, names, "thing", 1, 1000)[1]


class TestWriteFile:
    def test_replaces_the_old_content_and_leaves_no_temporary(self, tmp_path):
        path = tmp_path / "x.json"
        files.write_file(path, "one")
        files.write_file(path, "zwölf")
        assert path.read_text(encoding="utf-8") == "zwölf"
        assert os.listdir(tmp_path) == ["x.json"]

    def test_a_full_disk_keeps_the_old_content(self, tmp_path, monkeypatch):
        path = tmp_path / "x.json"
        files.write_file(path, "old")

        def full(handle, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(AmbleError, match=r"x\.json: cannot be written \(No space left.*Free some space"):
            files.write_file(path, "new")
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x.json"]


class TestSealed:
    def test_order_of_a_write(self, tmp_path, monkeypatch):
        calls = []

        def record(name):
            real = getattr(os, name)

            def call(*args, **kwargs):
                is_handle = isinstance(args[0], int)
                path = os.readlink(f"/proc/self/fd/{args[0]}") if is_handle else os.fspath(args[0])
                calls.append((name, os.path.basename(path).split("-")[0]))
                return real(*args, **kwargs)

            monkeypatch.setattr(os, name, call)

        for name in ("mkdir", "write", "fsync", "rename"):
            record(name)
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2"}, FORMAT)
        assert calls == [
            ("mkdir", ".tmp"),
            ("write", "a"),
            ("fsync", "a"),
            ("write", "b"),
            ("fsync", "b"),
            ("write", "manifest.json"),
            ("fsync", "manifest.json"),
            ("fsync", ".tmp"),
            ("rename", ".tmp"),
            ("fsync", tmp_path.name.split("-")[0]),
        ]

    def test_replaces_a_directory_whole(self, tmp_path):
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2", "c": b"3"}, FORMAT)
        files.write_sealed(tmp_path / "d", {"a": b"4", "b": b""}, FORMAT)
        assert read(tmp_path / "d") == {"a": b"4", "b": b""}
        assert sorted(os.listdir(tmp_path / "d")) == ["a", "b", "manifest.json"]
        assert os.listdir(tmp_path) == ["d"]

    def test_a_failure_in_mid_swap_puts_the_old_one_back(self, tmp_path, monkeypatch):
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2"}, FORMAT)
        real = os.rename

        def rename(source, target):
            if ".tmp-" in str(source):
                raise OSError(errno.EIO, "Input/output error")
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(AmbleError, match="Input/output error"):
            files.write_sealed(tmp_path / "d", {"a": b"3", "b": b"4"}, FORMAT)
        assert os.listdir(tmp_path) == ["d"]
        assert read(tmp_path / "d") == {"a": b"1", "b": b"2"}

    def test_reads_the_replaced_one_where_a_kill_left_only_that(self, tmp_path):
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2"}, FORMAT)
        (tmp_path / "d").rename(tmp_path / "d.replaced")
        assert read(tmp_path / "d") == {"a": b"1", "b": b"2"}
        files.write_sealed(tmp_path / "d", {"a": b"3", "b": b"4"}, FORMAT)
        assert read(tmp_path / "d") == {"a": b"3", "b": b"4"}

    def test_a_missing_parent_is_named(self, tmp_path):
        with pytest.raises(AmbleError, match=r"gone/d: cannot be written .*was removed or renamed"):
            files.write_sealed(tmp_path / "gone" / "d", {"a": b"1"}, FORMAT)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a", b"x", r"d/a: its sha256 is not the one"),
            ("a", b"", r"d/a: expected 1 bytes, found 0"),
            ("a", None, r"d/a: the file is missing"),
            ("manifest.json", None, r"manifest\.json: the file is missing"),
            ("manifest.json", b"{", r"manifest\.json: expected JSON"),
            ("manifest.json", b"[" * 100_000, r"manifest\.json: expected JSON"),
            ("manifest.json", b"[]", r"manifest\.json: expected a JSON object, found list"),
            ("manifest.json", b'{"format": "other"}', r"expected the format 'thing', found 'other'"),
            (
                "manifest.json",
                b'{"format": "thing", "format_version": 2}',
                r"of version 2, but this amble reads 1 to 1",
            ),
            ("manifest.json", b'{"format": "thing", "format_version": 1}', r"holds no checksum of 'a'"),
            (
                "manifest.json",
                b'{"format": "thing", "format_version": 1, "files": []}',
                r"no checksum of 'a'",
            ),
        ],
    )
    def test_damage_is_named(self, tmp_path, name, content, message):
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2"}, FORMAT)
        path = tmp_path / "d" / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(AmbleError, match=message):
            read(tmp_path / "d")

    def test_names_in_the_manifest_are_never_opened(self, tmp_path):
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2"}, FORMAT)
        manifest = json.loads((tmp_path / "d" / "manifest.json").read_text())
        manifest["files"]["../../etc/passwd"] = {"sha256": "", "bytes": 0}
        (tmp_path / "d" / "manifest.json").write_text(json.dumps(manifest))
        assert set(read(tmp_path / "d")) == {"a", "b"}

    def test_a_pipe_or_an_oversize_file_is_refused_before_it_is_read(self, tmp_path):
        files.write_sealed(tmp_path / "d", {"a": b"1", "b": b"2"}, FORMAT)
        (tmp_path / "d" / "a").unlink()
        os.mkfifo(tmp_path / "d" / "a")
        assert stat.S_ISFIFO((tmp_path / "d" / "a").stat().st_mode)
        with pytest.raises(files.DamagedFileError, match="expected an ordinary file"):
            read(tmp_path / "d")
        (tmp_path / "d" / "a").unlink()
        (tmp_path / "d" / "a").write_bytes(bytes(1001))
        with pytest.raises(files.DamagedFileError, match="1001 bytes, expected at most 1000"):
            read(tmp_path / "d")


def test_sweeping_removes_only_temporaries(tmp_path):
    (tmp_path / ".tmp-d-1").mkdir()
    (tmp_path / ".tmp-d-1" / "a").write_text("")
    (tmp_path / ".tmp-x").write_text("")
    (tmp_path / "keep").write_text("")
    files.sweep_temporaries(tmp_path)
    assert os.listdir(tmp_path) == ["keep"]
