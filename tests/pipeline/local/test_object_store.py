"""Feed logs and push destinations on an object store: what the command refuses, and what it does without a run."""

import re
from pathlib import Path

import pytest

from pipeline.local import cli
from ranker.registry.publishing import publish
from ranker.registry.versions import complete_versions
from tests.object_store import ObjectStore
from tests.ranker.registry.test_versions import of_training, push

REFUSED = "the store refuses the credentials, or they do not permit it"


def refusal(arguments: list[str], workdir: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The only line of a command that ends with status 2 before it has written anything."""
    assert cli.main(["--workdir", str(workdir), *arguments]) == cli.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert not workdir.exists()
    return line


@pytest.mark.parametrize(("option", "done"), [("--feed-log", "read"), ("--push-destination", "written")])
def test_wrong_credentials_are_one_sentence(
    option: str,
    done: str,
    object_store: ObjectStore,
    bucket: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for uri in (
        object_store.uri(f"{bucket}/feed", secret="s3cret"),
        object_store.uri(f"{bucket}/feed", key="AKIAIOSFODNN7EXAMPLE", secret="s3cret"),
    ):
        line = refusal([option, uri], tmp_path / "w", capsys)
        assert re.fullmatch(rf"error: {option} s3://\w+:…@{bucket}/feed\?\S+: cannot be {done}: {REFUSED}", line)


@pytest.mark.parametrize("option", ["--feed-log", "--push-destination"])
def test_a_missing_bucket_is_one_sentence(
    option: str, object_store: ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal([option, object_store.uri("no-such-bucket/feed")], tmp_path / "w", capsys)
    assert re.fullmatch(rf"error: {option} s3://\S+: there is no such bucket", line)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--feed-log", "--push-destination"])
def test_an_unreachable_store_is_one_sentence(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for uri in (
        "s3://KEY:SECRET@bucket/feed?endpoint_override=127.0.0.1:9&scheme=http",
        "gs://anonymous@bucket/feed?endpoint_override=127.0.0.1:9&scheme=http&retry_limit_seconds=1",
    ):
        assert refusal([option, uri], tmp_path / "w", capsys).endswith(": the store does not answer")


def test_a_feed_log_has_to_be_a_folder_of_the_store(
    object_store: ObjectStore, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(["--feed-log", object_store.uri(f"{bucket}/nowhere")], tmp_path / "w", capsys).endswith(
        ": there is no such folder"
    )
    object_store.write(bucket, "file", b"")
    for option in ("--feed-log", "--push-destination"):
        line = refusal([option, object_store.uri(f"{bucket}/file")], tmp_path / "w", capsys)
        assert line.endswith(": it is a file, not a folder")


@pytest.mark.parametrize("option", ["--feed-log", "--push-destination"])
@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3:/bucket/feed", "two slashes follow the colon"),
        ("gs:/bucket", "two slashes follow the colon"),
        ("s3://", "is not a URI such as s3://bucket/folder"),
        ("://bucket/feed", "is not a URI such as s3://bucket/folder"),
        ("s3://bucket/two words", "is not a URI such as s3://bucket/folder"),
        ("s3://bucket/two\nlines", "is not a URI such as s3://bucket/folder"),
        ("", "the path is empty"),
    ],
)
def test_what_is_no_uri_is_refused(
    option: str, uri: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--workdir", str(tmp_path / "w"), option, uri])
    assert end.value.code == cli.USAGE
    assert reason in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "w").exists()


def test_a_scheme_that_no_library_knows_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(["--feed-log", "nowhere://bucket/feed"], tmp_path / "w", capsys)
    assert line == "error: --feed-log nowhere://bucket/feed: cannot be read: Protocol not known: nowhere"


@pytest.mark.slow
def test_a_rollback_in_the_store(
    object_store: ObjectStore, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    destination = object_store.uri(f"{bucket}/models")
    arguments = ["--workdir", str(tmp_path), "--rollback", "--push-destination", destination]
    assert cli.main(arguments) == cli.USAGE
    assert f"s3://{object_store.key}:…@{bucket}/models" in capsys.readouterr().err
    pushed = []
    for day in ("monday", "tuesday"):
        push(tmp_path / "trained", day, of_training(day))
        pushed.append(publish(str(tmp_path / "trained" / day), destination))
    assert cli.main(arguments) == cli.DONE
    assert f"a copy of {pushed[0]}, instead of {pushed[1]}" in capsys.readouterr().out
    assert len(complete_versions(destination)) == 3
    assert not (tmp_path / "serving_model").exists()


@pytest.mark.parametrize("as_uri", [False, True])
def test_another_folder_of_this_machine_as_push_destination(
    as_uri: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, workdir = tmp_path / "models", tmp_path / "w"
    workdir.mkdir()
    for version in ("7", "8"):
        push(models, version, of_training(version))
    given = models.as_uri() if as_uri else str(models)
    assert cli.main(["--workdir", str(workdir), "--rollback", "--push-destination", given]) == cli.DONE
    assert "a copy of 7, instead of 8" in capsys.readouterr().out
    assert len(complete_versions(str(models))) == 3


@pytest.mark.parametrize(("path", "reason"), [("file", "is a file, not a folder"), ("[ab]", "must not have [ ]")])
def test_a_local_push_destination_that_cannot_be_used_is_refused(
    path: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    line = refusal(["--push-destination", str(tmp_path / path)], tmp_path / "w", capsys)
    assert line.startswith(f"error: --push-destination {tmp_path / path}: ")
    assert reason in line
