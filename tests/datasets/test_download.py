"""Downloads against a server that cuts, lies, refuses and forgets."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import lzma
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from morered.datasets import sources
from morered.datasets.download import Retry, fetch, part_path
from morered.datasets.integrity import ArchiveError, DigestError, DiskError, DownloadError, digest_of, is_whole, verify
from morered.datasets.sources import Expected, Source
from morered.datasets.unpack import unpack_xz

CONTENT = random.Random(7).randbytes(300_000)
QUICK = Retry(attempts=3, wait=0.0, longest=0.0, timeout=(5.0, 5.0))


@pytest.fixture
def file(server) -> Source:
    server.files["data.xz"] = CONTENT
    return server.source("data.xz")


def expected(name: str, content: bytes) -> Expected:
    return Expected(name, len(content), f"md5:{hashlib.md5(content).hexdigest()}")


def left_behind(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------- the table


def test_the_table_names_every_file_with_size_and_digest():
    rows = sources.table()
    assert [row.file.name for row in sources.of_dataset("qm7x")] == [f"{k}000.xz" for k in range(1, 9)] + ["DupMols.dat"]
    assert len({row.file.digest for row in rows}) == len(rows)
    for row in rows:
        assert row.file.bytes > 0
        assert row.file.digest.startswith("md5:")
        assert len(row.file.digest) == 4 + 32
        assert row.urls
        assert all(url.startswith("https://") for url in row.urls)
        assert (row.unpacked is not None) == (row.dataset == "qm7x" and row.file.name.endswith(".xz"))
    assert sum(row.unpacked.bytes for row in rows if row.unpacked) == 82_284_008_592
    assert sources.of_file("qm7x", "3000.hdf5") == sources.of_file("qm7x", "3000.xz")


def test_an_unknown_dataset_or_file_lists_what_there_is():
    with pytest.raises(KeyError, match="qm7x"):
        sources.of_dataset("qm8")
    with pytest.raises(KeyError, match=r"8000\.xz"):
        sources.of_file("qm7x", "9000.xz")


def test_another_table_takes_the_place_of_the_packages_own(tmp_path):
    own = tmp_path / "sources.csv"
    digest = f"sha256:{hashlib.sha256(b'abc').hexdigest()}"
    own.write_text(f"{','.join(sources.COLUMNS)}\nqm7x,mirror,8000.xz,3,{digest},,,,http://localhost/8000.xz,\n")
    assert [row.file.name for row in sources.of_dataset("qm7x", own)] == ["8000.xz"]
    row = sources.of_file("qm7x", "8000.xz", own)
    assert row == Source("qm7x", "mirror", Expected("8000.xz", 3, digest), None, ("http://localhost/8000.xz",))
    (tmp_path / "abc").write_bytes(b"abc")
    verify(tmp_path / "abc", row.file)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("mirror", "backup", "no column mirror"),
        (",3,", ",three,", "line 2: invalid literal"),
        ("md5:", "", "line 2: .* is no digest"),
    ],
)
def test_a_table_of_another_form_is_named(tmp_path, old, new, reason):
    path = tmp_path / "sources.csv"
    text = f"{','.join(sources.COLUMNS)}\nqm7x,1,8000.xz,3,md5:900150983cd24fb0d6963f7d28e17f72,,,,http://localhost/8000.xz,\n"
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=rf"sources\.csv.*{reason}"):
        sources.table(path)


# ------------------------------------------------------------------- fetching


def test_fetch_brings_the_file_and_nothing_else(server, file, tmp_path):
    path = fetch(file, tmp_path / "new" / "data.xz", retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert left_behind(path.parent) == ["data.xz"]
    assert server.served("data.xz") == [(None, len(CONTENT))]


def test_a_whole_file_is_not_fetched_again(server, file, tmp_path):
    (tmp_path / "data.xz").write_bytes(CONTENT)
    fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert server.requests == []


@pytest.mark.parametrize(
    "wrong", [b"", b"another file", CONTENT[:-1] + b"x", CONTENT + b"more"], ids=["empty", "short", "same size", "long"]
)
def test_a_file_that_merely_exists_is_not_trusted(server, file, tmp_path, wrong):
    (tmp_path / "data.xz").write_bytes(wrong)
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT
    assert left_behind(tmp_path) == ["data.xz"]


def test_a_half_file_of_another_tool_is_continued(server, file, tmp_path):
    (tmp_path / "data.xz").write_bytes(CONTENT[:100_000])
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT
    assert server.served("data.xz") == [("bytes=100000-", 200_000)]


def test_a_cut_connection_goes_on_where_it_was_cut(server, file, tmp_path):
    server.faults["data.xz"] = [{"cut": 70_000}, {"cut": 0}, {"cut": 90_000}, {"status": 503}]
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT
    assert [span for span, _ in server.served("data.xz")] == [None, *["bytes=70000-"] * 2, *["bytes=160000-"] * 2]
    assert sum(sent for _, sent in server.served("data.xz")) == len(CONTENT)


def test_more_cuts_than_attempts_are_no_failure_while_bytes_come(server, file, tmp_path):
    server.faults["data.xz"] = [{"cut": 20_000} for _ in range(12)]
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT


def test_a_dead_connection_ends_in_an_error_and_a_rerun_goes_on(server, file, tmp_path):
    server.faults["data.xz"] = [{"cut": 70_000}, {"cut": 0}, {"cut": 0}, {"cut": 0}]
    with pytest.raises(DownloadError, match=r"data\.xz: not complete \(70000 of 300000 bytes so far"):
        fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert not (tmp_path / "data.xz").exists()
    fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert server.served("data.xz")[-1] == ("bytes=70000-", 230_000)
    assert left_behind(tmp_path) == ["data.xz"]


def test_a_server_without_ranges_starts_over_and_is_given_up_in_the_end(server, file, tmp_path):
    server.ranges = False
    server.faults["data.xz"] = [{"cut": 70_000}, {"cut": 70_000}]
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT
    (tmp_path / "data.xz").unlink()
    server.faults["data.xz"] = [{"cut": 70_000} for _ in range(20)]
    with pytest.raises(DownloadError, match="3 tries in a row brought nothing"):
        fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert len(server.faults["data.xz"]) == 20 - 4  # bytes sent again are not new ones


def test_an_answer_from_another_position_is_not_appended(server, file, tmp_path):
    server.faults["data.xz"] = [{"cut": 70_000}, {"shifted": True}]
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT


def test_a_chunked_answer_without_length_may_be_short_or_whole(server, file, tmp_path):
    server.faults["data.xz"] = [{"chunked": True, "cut": 70_000}, {"chunked": True}]
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT


def test_a_damaged_part_is_found_out_and_fetched_anew(server, file, tmp_path):
    part = part_path(tmp_path / "data.xz", file.file)
    part.write_bytes(b"\0" * 70_000)
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT
    assert [span for span, _ in server.served("data.xz")] == ["bytes=70000-", None]


def test_a_complete_or_overlong_part_is_checked_too(server, file, tmp_path):
    part_path(tmp_path / "data.xz", file.file).write_bytes(CONTENT)
    fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert server.requests == []
    (tmp_path / "data.xz").unlink()
    part_path(tmp_path / "data.xz", file.file).write_bytes(CONTENT + b"x")
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT


def test_wrong_bytes_once_are_mended(server, file, tmp_path):
    server.faults["data.xz"] = [{"wrong": True}]
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT


def test_wrong_bytes_always_name_file_expected_and_found(server, file, tmp_path):
    server.faults["data.xz"] = [{"wrong": True}] * 2
    found = expected("", bytes(byte ^ 1 for byte in CONTENT)).digest
    with pytest.raises(DigestError) as error:
        fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert f"{tmp_path / 'data.xz'}: expected 300000 bytes with {file.file.digest}, found 300000 bytes with {found}" in str(
        error.value
    )
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_in_seconds_and_as_a_date(server, file, tmp_path, status):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.faults["data.xz"] = [
        {"status": status, "retry_after": "17"},
        {"status": status, "retry_after": date},
        {"status": status},
    ]
    waits: list[float] = []
    fetch(file, tmp_path / "data.xz", retry=Retry(attempts=4, wait=1.0, longest=60.0), sleep=waits.append)
    assert waits[0] == 17
    assert 95 < waits[1] <= 100
    assert waits[2] == 4.0  # without Retry-After: doubled with each idle try


def test_waits_double_and_stay_below_the_longest(server, file, tmp_path):
    server.faults["data.xz"] = [{"status": 502}] * 6
    waits: list[float] = []
    fetch(file, tmp_path / "data.xz", retry=Retry(attempts=9, wait=2.0, longest=20.0), sleep=waits.append)
    assert waits == [2, 4, 8, 16, 20, 20]


def test_a_server_that_asks_for_too_much_patience_is_left_for_the_mirror(server, file, tmp_path):
    server.files["copy"] = CONTENT
    server.faults["data.xz"] = [{"status": 429, "retry_after": "86400"}]
    waits: list[float] = []
    fetch(server.source("data.xz", mirror="copy"), tmp_path / "data.xz", sleep=waits.append)
    assert waits == []
    assert [path for path, *_ in server.requests] == ["data.xz", "copy"]


def test_the_mirror_goes_on_where_the_primary_ended(server, file, tmp_path):
    server.files["copy"] = CONTENT
    server.faults["data.xz"] = [{"cut": 70_000}, {"status": 404}]
    fetch(server.source("data.xz", mirror="copy"), tmp_path / "data.xz", retry=QUICK)
    assert server.served("copy") == [("bytes=70000-", 230_000)]


@pytest.mark.parametrize("status", [202, 301, 403, 404, 410])
def test_an_empty_or_final_answer_leads_to_the_mirror_at_once(server, file, tmp_path, status):
    server.files["copy"] = CONTENT  # 202 is what figshare's firewall answers to programs: success, and no bytes
    server.faults["data.xz"] = [{"status": status}]
    fetch(server.source("data.xz", mirror="copy"), tmp_path / "data.xz", retry=QUICK)
    assert [path for path, *_ in server.requests] == ["data.xz", "copy"]


def test_all_that_went_wrong_is_said(server, file, tmp_path):
    server.faults["data.xz"] = [{"status": 403}]
    with pytest.raises(DownloadError) as error:
        fetch(server.source("data.xz", mirror="nowhere"), tmp_path / "data.xz", retry=QUICK)
    assert "data.xz: HTTP 403" in str(error.value)
    assert "nowhere: HTTP 404" in str(error.value)
    assert left_behind(tmp_path) == []


def test_a_page_in_place_of_the_file_is_not_stored(server, file, tmp_path):
    page = server.source("data.xz")
    server.files["data.xz"] = b"<html>please log in</html>"
    with pytest.raises(DownloadError, match="offers 26 bytes where 300000 are expected"):
        fetch(page, tmp_path / "data.xz", retry=QUICK)
    server.faults["data.xz"] = [{"chunked": True}] * 3
    server.files["data.xz"] = CONTENT + b"more"
    with pytest.raises(DownloadError, match="sends more than the 300000 bytes expected"):
        fetch(page, tmp_path / "data.xz", retry=QUICK)
    assert left_behind(tmp_path) == []


def test_an_unreachable_server_is_an_error_that_names_the_file(tmp_path):
    source = Source("test", "1", expected("data.xz", CONTENT), None, ("http://127.0.0.1:9/data.xz",))
    with pytest.raises(DownloadError, match=r"data\.xz: not complete \(0 of 300000"):
        fetch(source, tmp_path / "data.xz", retry=QUICK)
    assert left_behind(tmp_path) == []


def test_two_processes_do_not_write_one_part(server, file, tmp_path):
    with part_path(tmp_path / "data.xz", file.file).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another process"):
            fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert fetch(file, tmp_path / "data.xz", retry=QUICK).read_bytes() == CONTENT


def test_parts_of_two_versions_are_kept_apart(tmp_path):
    names = {part_path(tmp_path / "data.xz", expected("data.xz", content)).name for content in (b"one", b"two")}
    assert len(names) == 2


KILLED = """
import os, sys
from pathlib import Path
from morered.datasets.download import fetch
from morered.datasets.sources import Expected, Source
url, size, digest, path = sys.argv[1:]
source = Source("t", "1", Expected("data.xz", int(size), digest), None, (url,))
fetch(source, Path(path), sleep=lambda wait: os.kill(os.getpid(), 9))
"""


def test_a_killed_process_leaves_a_part_that_the_rerun_goes_on_from(server, file, tmp_path):
    server.faults["data.xz"] = [{"cut": 120_000}]
    path = tmp_path / "data.xz"
    command = [sys.executable, "-c", KILLED, file.urls[0], str(file.file.bytes), file.file.digest, str(path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert not path.exists()
    assert fetch(file, path, retry=QUICK).read_bytes() == CONTENT
    assert server.served("data.xz")[-1] == ("bytes=120000-", 180_000)


# ------------------------------------------------------------------- unpacking


def test_unpacking_checks_what_comes_out(tmp_path):
    archive, content = tmp_path / "a.xz", CONTENT[:1000] * 2500
    archive.write_bytes(lzma.compress(content[:1_000_000]) + lzma.compress(content[1_000_000:]))  # several streams are one file
    path = unpack_xz(archive, tmp_path / "out" / "a.hdf5", expected("a.hdf5", content))
    assert path.read_bytes() == content
    archive.unlink()
    assert unpack_xz(archive, path, expected("a.hdf5", content)) == path  # whole already: the archive is not needed
    assert left_behind(path.parent) == ["a.hdf5"]


@pytest.mark.parametrize("damage", ["cut", "garbled", "no xz", "empty"])
def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path, damage):
    packed = bytearray(lzma.compress(CONTENT))
    if damage == "garbled":
        packed[1000] ^= 255
    archive = tmp_path / "a.xz"
    archive.write_bytes({"cut": packed[:-5000], "garbled": packed, "no xz": b"hello, world", "empty": b""}[damage])
    with pytest.raises(ArchiveError, match=r"a\.xz: unreadable"):
        unpack_xz(archive, tmp_path / "a.hdf5", expected("a.hdf5", CONTENT))
    assert left_behind(tmp_path) == ["a.xz"]


def test_an_archive_of_something_else_is_refused(tmp_path):
    archive = tmp_path / "a.xz"
    for inside in (b"something else", CONTENT + b"more", b"x" * len(CONTENT)):
        archive.write_bytes(lzma.compress(inside))
        with pytest.raises(DigestError, match=r"a\.hdf5: expected 300000 bytes with md5:.*unpacked from .*a\.xz"):
            unpack_xz(archive, tmp_path / "a.hdf5", expected("a.hdf5", CONTENT))
    assert left_behind(tmp_path) == ["a.xz"]


# ------------------------------------------------------------------- a full disk

LIMITED = """
import resource, sys
from pathlib import Path
from morered.datasets.download import fetch
from morered.datasets.integrity import DiskError
from morered.datasets.sources import Expected, Source
from morered.datasets.unpack import unpack_xz
task, url, size, digest, path = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
expected = Expected("data", int(size), digest)
try:
    if task == "fetch":
        fetch(Source("t", "1", expected, None, (url,)), Path(path))
    else:
        unpack_xz(Path(url), Path(path), expected)
except DiskError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("task", ["fetch", "unpack"])
def test_a_disk_that_fills_up_is_named_and_leaves_nothing(server, file, tmp_path, task):
    archive = tmp_path / "data.xz"
    archive.write_bytes(lzma.compress(CONTENT))
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "data"
    where = file.urls[0] if task == "fetch" else str(archive)
    command = [sys.executable, "-c", LIMITED, task, where, str(len(CONTENT)), file.file.digest, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert str(path) in done.stdout
    assert "bytes more are needed" in done.stdout
    assert left_behind(path.parent) == []


def test_a_disk_without_room_is_refused_before_the_first_byte(server, file, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(DiskError, match="300000 bytes more are needed, 1000 are free") as error:
        fetch(file, tmp_path / "data.xz", retry=QUICK)
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename == str(tmp_path / "data.xz")
    assert server.requests == []
    (tmp_path / "a.xz").write_bytes(lzma.compress(CONTENT))
    with pytest.raises(DiskError, match=r"a\.hdf5"):
        unpack_xz(tmp_path / "a.xz", tmp_path / "a.hdf5", expected("a.hdf5", CONTENT))
    assert left_behind(tmp_path) == ["a.xz"]


# ------------------------------------------------------------------- digests


def test_verify_names_file_expected_and_found(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    verify(path, expected("file", b"abc"))
    assert digest_of(path, "sha256") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(
        DigestError, match=r"file: expected 3 bytes with md5:.*, found 3 bytes with md5:900150983cd24fb0d6963f7d28e17f72"
    ):
        verify(path, expected("file", b"abd"))
    assert not is_whole(tmp_path, expected("file", b"abc"))
    assert not is_whole(tmp_path / "absent", expected("file", b"abc"))
    assert os.listdir(tmp_path) == ["file"]
