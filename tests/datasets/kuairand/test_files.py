from pathlib import Path

import pytest

from datasets.kuairand.files import RawDataError, find_raw_files
from tests.datasets.kuairand.handmade import write_raw


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_finds_every_log_in_order(tmp_path: Path, suffix: str) -> None:
    write_raw(tmp_path, suffix=suffix)
    assert find_raw_files(tmp_path).random_logs == ()
    (tmp_path / f"log_random_4_22_to_5_08_pure.csv{suffix}").touch()
    files = find_raw_files(tmp_path)
    assert [path.name for path in files.random_logs] == [f"log_random_4_22_to_5_08_pure.csv{suffix}"]
    assert [path.name for path in files.logs] == [
        f"log_standard_4_08_to_4_26_pure.csv{suffix}",
        f"log_standard_4_27_to_5_08_pure.csv{suffix}",
    ]
    assert files.users.name == f"user_features_pure.csv{suffix}"
    assert files.videos.name == f"video_features_basic_pure.csv{suffix}"


def test_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"nowhere: there is no such folder; .*KuaiRand-Pure.*Zenodo"):
        find_raw_files(tmp_path / "nowhere")


@pytest.mark.parametrize("pattern", ["log_standard_*.csv", "user_features_pure.csv", "video_features_basic_pure.csv"])
def test_missing_file_says_which_and_where_from(raw_folder: Path, pattern: str) -> None:
    for path in raw_folder.glob(pattern):
        path.unlink()
    with pytest.raises(RawDataError) as caught:
        find_raw_files(raw_folder)
    assert f"no file matches {pattern} or {pattern}.gz" in str(caught.value)
    assert "KuaiRand-Pure is published on Zenodo and linked from kuairand.com" in str(caught.value)


def test_a_file_both_plain_and_compressed(raw_folder: Path) -> None:
    write_raw(raw_folder, suffix=".gz")
    with pytest.raises(RawDataError, match=r"both log_standard_4_08_to_4_26_pure\.csv and .*\.csv\.gz exist"):
        find_raw_files(raw_folder)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("log_standard_4_08_to_4_21_1k.csv", "1K"),
        ("log_standard_4_08_to_4_21_27k_part1.csv.gz", "27K"),
        ("log_random_4_22_to_5_08_27k.csv", "27K"),
    ],
)
def test_a_log_of_a_larger_data_set(raw_folder: Path, name: str, size: str) -> None:
    (raw_folder / "log_standard_sample_1k.csv").touch()  # somebody's part of the log
    assert len(find_raw_files(raw_folder).logs) == 3
    (raw_folder / name).touch()
    with pytest.raises(RawDataError, match=rf"/{name}: a log of KuaiRand-{size}, which is another data set; "):
        find_raw_files(raw_folder)
