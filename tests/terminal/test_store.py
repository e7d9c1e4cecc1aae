import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.store import Documents, StoreDamagedError, StoreError
from tests.terminal.disk_faults import run_with_faults

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "documents.json"


@pytest.fixture
def documents(path: Path) -> Iterator[Documents]:
    one = Documents(path)
    yield one
    one.close()


def previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def test_a_document_comes_back_and_others_are_left_alone(documents: Documents) -> None:
    documents.put("checkpoint", {"seq": 7, "holders": ["佐藤"]})
    documents.put("updater", {})
    documents.put("checkpoint", {"seq": 8})
    assert documents.get("checkpoint") == {"seq": 8}
    assert documents.get("updater") == {}
    assert documents.get("other") is None


def test_a_document_can_be_removed(documents: Documents) -> None:
    documents.put("checkpoint", {"seq": 7})
    documents.remove("checkpoint")
    documents.remove("checkpoint")
    assert documents.get("checkpoint") is None


def test_documents_outlive_a_restart(path: Path) -> None:
    Documents(path).put("checkpoint", {"seq": 7})
    assert Documents(path).get("checkpoint") == {"seq": 7}


def test_only_the_owner_can_read_them(path: Path) -> None:
    Documents(path).put("checkpoint", {"seq": 7})
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"x", b"\0" * 100, None])
def test_a_spoilt_newest_version_falls_back_to_the_one_before(
    path: Path, content: bytes | None
) -> None:
    one = Documents(path)
    one.put("checkpoint", {"seq": 7})
    one.put("checkpoint", {"seq": 8})
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    again = Documents(path)
    assert again.get("checkpoint") == {"seq": 7}
    again.put("checkpoint", {"seq": 9})
    assert Documents(path).get("checkpoint") == {"seq": 9}


def test_a_spoilt_version_never_takes_the_place_of_a_whole_one(path: Path) -> None:
    one = Documents(path)
    one.put("checkpoint", {"seq": 7})
    one.put("checkpoint", {"seq": 8})
    path.write_bytes(b"")
    Documents(path).put("checkpoint", {"seq": 9})
    path.write_bytes(b"")
    assert Documents(path).get("checkpoint") == {"seq": 7}


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 1000])
def test_files_of_which_none_is_whole_are_a_fault_and_never_an_empty_store(
    path: Path, content: bytes
) -> None:
    one = Documents(path)
    one.put("checkpoint", {"seq": 7})
    one.put("checkpoint", {"seq": 8})
    for file in (path, previous(path)):
        file.write_bytes(content)
    with pytest.raises(StoreDamagedError):
        Documents(path)


def test_a_lone_empty_file_is_a_fault(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"")
    with pytest.raises(StoreDamagedError):
        Documents(path)


def test_every_flipped_byte_is_noticed(path: Path) -> None:
    one = Documents(path)
    one.put("checkpoint", {"seq": 7})
    one.put("checkpoint", {"seq": 8})
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert Documents(path).get("checkpoint") == {"seq": 7}, at


def test_a_cut_at_any_byte_leaves_the_version_before(path: Path) -> None:
    one = Documents(path)
    one.put("checkpoint", {"seq": 7})
    one.put("checkpoint", {"seq": 8})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert Documents(path).get("checkpoint") == {"seq": 7}, size


def test_what_lies_between_the_two_renames_is_found(path: Path) -> None:
    """The power goes after the newest became the previous, before the draft became the newest."""
    one = Documents(path)
    one.put("checkpoint", {"seq": 7})
    shutil.copy(path, path.with_name(path.name + ".new"))
    path.rename(previous(path))
    again = Documents(path)
    assert again.get("checkpoint") == {"seq": 7}
    again.put("checkpoint", {"seq": 8})
    assert Documents(path).get("checkpoint") == {"seq": 8}


def nested(levels: int) -> list[object]:
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize(
    "content", [{"n": float("nan")}, {"n": 2**63}, {"text": "\ud800"}, {"deep": nested(20)}]
)
def test_what_could_not_be_read_again_is_not_written(
    documents: Documents, content: dict[str, object]
) -> None:
    documents.put("checkpoint", {"seq": 7})
    with pytest.raises(StoreError):
        documents.put("checkpoint", content)
    assert documents.get("checkpoint") == {"seq": 7}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be made"):
        Documents(tmp_path / "file" / "state" / "documents.json")


def test_a_disk_that_refuses_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    refused = run_with_faults("tests.terminal.store_under_faults", tmp_path)
    assert int(refused) > 20


def test_a_kill_at_any_moment_leaves_a_whole_store(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from terminal.store import Documents\n"
        "one, n = Documents(Path(sys.argv[1])), int(sys.argv[2])\n"
        "while True:\n"
        "    n += 1; one.put('checkpoint', {'n': n, 'pad': 'x' * 5000})\n"
        "    sys.stdout.write(f'{n}\\n'); sys.stdout.flush()\n"
    )
    last = 0
    for turn in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(last)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        with child, child.stdout:
            first = child.stdout.readline()
            time.sleep(0.01 * turn)
            child.kill()
            lines = [first, *child.stdout.read().split(b"\n")[:-1]]
        last = int(lines[-1])
        found = Documents(path).get("checkpoint")
        assert found is not None
        assert found["n"] >= last
        last = found["n"]


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=5),
        st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")),
        max_size=4,
    )
)
def test_any_plain_document_comes_back(content: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "documents.json"
        Documents(path).put("document", content)
        assert Documents(path).get("document") == content
