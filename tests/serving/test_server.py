"""The development server: which version it serves, and at which port."""

import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from feed_ranker_client import InvalidRequestError
from ranker.export.row_limit import row_limit
from serving import server, tune_batch
from serving.client import FeedRankerClient, ServingError
from serving.server import PortError, main, serve
from serving.servicer import FeedRankerServicer, ServedVersion, read_signatures
from serving.versions import list_versions
from tests.ranker.export.feed import MAX_ROWS, TinyFeed, serialized
from tests.serving.conftest import MODEL


@pytest.fixture
def destination(models: Path, tmp_path: Path) -> Path:
    """A copy of the push destination, to be changed."""
    return Path(shutil.copytree(models, tmp_path / "serving_model"))


@pytest.fixture
def ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends as soon as it serves."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_wait", interrupt)
    monkeypatch.setattr(FeedRankerServicer, "warm_up", lambda self: 0)  # it takes seconds


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], command: Any = main) -> str:
    """The last line of a command that ends with status 2 before it serves."""
    with pytest.raises(SystemExit) as end:
        command(arguments)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert printed.out == ""
    return printed.err.splitlines()[-1]


@pytest.mark.slow
def test_a_port_that_is_taken_is_refused(models: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two servers shared it, and either answered."""
    taken = int(address.partition(":")[2])
    with (
        pytest.raises(PortError, match=f"port {taken}: another program listens there"),
        serve(models / "7", MODEL, taken),
    ):
        pass
    line = refused(["--models", str(models), "--port", str(taken)], capsys)
    assert line.startswith(f"error: port {taken}: another program listens there")


def test_a_port_of_another_program_is_refused(models: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortError, match="another program"), serve(models / "7", MODEL, port):
            pass


@pytest.mark.parametrize("port", ["99999", "65536", "0", "-1", "nan", "http", "8500.5", "", "1" * 50])
def test_what_is_no_port_is_refused(port: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server for port 99999 listened on its lower 16 bits, 34463."""
    assert "ports are 1 to 65535" in refused(["--models", str(models), "--port", port], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("port", [99_999, 65_536, -1])
def test_what_is_no_port_is_refused_without_the_command_line_too(port: int, models: Path) -> None:
    with pytest.raises(PortError, match="ports are 1 to 65535"), serve(models / "7", MODEL, port):
        pass


def test_another_version_is_not_found(models: Path, address: str, feed: TinyFeed) -> None:
    """The server's only version answered instead."""
    with FeedRankerClient(address, MODEL, timeout_s=60.0, version=7) as client:
        assert client.score_examples(serialized(feed.rows[:1]))
    for version in (6, 8, 0):
        with (
            FeedRankerClient(address, MODEL, timeout_s=60.0, version=version) as client,
            pytest.raises(ServingError, match=f"NOT_FOUND: tiny: version {version}: this server has version 7"),
        ):
            client.score_examples(serialized(feed.rows[:1]))


DAMAGE = ("no variables", "cut variables", "cut graph", "empty graph", "no graph", "empty folder", "no signature")


def damaged(version: Path, how: str) -> None:
    graph, variables = version / "saved_model.pb", version / "variables"
    match how:
        case "no variables":
            shutil.rmtree(variables)
        case "cut variables":
            [data] = variables.glob("variables.data*")
            data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
        case "cut graph":
            graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
        case "empty graph":
            graph.write_bytes(b"")
        case "no graph":
            graph.unlink()
        case "empty folder":
            shutil.rmtree(version)
            version.mkdir()
        case "no signature":
            saved = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
            saved.meta_graphs[0].ClearField("signature_def")
            graph.write_bytes(saved.SerializeToString())


@pytest.mark.slow
@pytest.mark.usefixtures("ended_at_once")
@pytest.mark.parametrize("how", DAMAGE)
def test_a_version_that_was_copied_in_part_is_skipped(
    how: str, destination: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = Path(shutil.copytree(destination / "7", destination / "10"))
    damaged(newer, how)
    main(["--models", str(destination), "--name", MODEL, "--port", str(free_port())])
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{MODEL}, version 7, at 127.0.0.1:")
    assert f"warning: {newer}: skipped, as it is incomplete or damaged: " in printed.err
    assert printed.err.count("warning: ") == 1


def test_the_server_replays_the_warm_up_requests(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servicer = FeedRankerServicer(ServedVersion(models / "7"), MODEL)
    replayed: list[Any] = []
    monkeypatch.setattr(servicer, "_predict", replayed.append)  # running every signature takes seconds
    assert servicer.warm_up() == len(replayed) > 0
    assert {request.model_spec.signature_name for request in replayed} == set(read_signatures(models / "7"))
    assert {(request.model_spec.name, request.model_spec.version.value) for request in replayed} == {(MODEL, 7)}


@pytest.mark.slow
@pytest.mark.usefixtures("ended_at_once")
@pytest.mark.parametrize("error", [tf.errors.DataLossError(None, None, "cut off"), ValueError("cut off")])
def test_warm_up_requests_that_are_damaged_are_a_warning(
    error: Exception, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: FeedRankerServicer) -> int:
        raise error

    monkeypatch.setattr(FeedRankerServicer, "warm_up", fail)
    main(["--models", str(models), "--port", str(free_port())])
    printed = capsys.readouterr()
    assert "version 7, at" in printed.out
    assert "warning: the warm-up requests cannot be replayed, so the first requests are slow: cut off" in printed.err


@pytest.mark.slow
@pytest.mark.usefixtures("ended_at_once")
def test_versions_with_labels_are_served_too(destination: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("5", "10"):
        shutil.copytree(destination / "7", destination / number)
    labels = ["--label", "stable=5", "--label", "candidate=10", "--label", "too=5"]
    main(["--models", str(destination), "--port", str(free_port()), *labels])
    printed = capsys.readouterr()
    assert printed.out.startswith("feed, version 10, candidate: version 10, stable: version 5, too: version 5, at ")
    arguments = ["--models", str(destination), "--port", str(free_port())]
    for label, said in (
        (["stable=6"], "--label stable=6: "),
        (["a=5", "a=7"], "--label a=7: the label is given twice"),
        (["stable"], "'stable' is not LABEL=VERSION"),
        (["=5"], "'=5' is not LABEL=VERSION"),
        (["stable=five"], "'stable=five' is not LABEL=VERSION"),
    ):
        assert said in refused([*arguments, *(word for text in label for word in ("--label", text))], capsys)
    damaged(destination / "5", "cut graph")
    assert "--label stable=5: incomplete or damaged: " in refused([*arguments, *labels], capsys)


@pytest.mark.usefixtures("ended_at_once")
def test_the_newest_version_is_served(destination: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(destination / "7", destination / "10")
    for name in ("9x", ".11", "²", "20261129073500123456"):
        (destination / name).mkdir()
    (destination / "12").write_text("a file")
    (destination / "13").symlink_to("nowhere")
    assert [folder.name for folder in list_versions(destination)] == ["10", "7"]
    main(["--models", str(destination), "--port", str(free_port())])
    printed = capsys.readouterr()
    assert printed.out.startswith("feed, version 10, at ")
    assert "warning" not in printed.err


def test_models_that_cannot_be_read_are_refused(
    destination: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    for path, reason in (
        (tmp_path / "nowhere", "there is no such folder"),
        (destination / "7" / "saved_model.pb", "it is a file, not a folder"),
        (tmp_path / "link", "which does not exist"),
        (tmp_path / "empty", "holds no numbered model version"),
        (Path("s3://bucket/models"), "local path, not a URI"),
    ):
        for command in (main, tune_batch.main):
            assert reason in refused(["--models", str(path)], capsys, command)
    damaged(destination / "7", "no graph")
    for command in (main, tune_batch.main):
        assert "none of its 1 versions can be loaded" in refused(["--models", str(destination)], capsys, command)


@pytest.mark.usefixtures("ended_at_once")
def test_a_path_can_have_other_characters(
    destination: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = destination.rename(tmp_path / "100% {x}, (y) & #z 日本")
    main(["--models", str(renamed), "--port", str(free_port())])
    assert "version 7, at" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["serving_model [1]", "a*b?", "back\\slash"])
def test_a_path_in_which_tensorflow_finds_no_variables_is_refused(
    name: str, destination: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = destination.rename(tmp_path / name)
    for command in (main, tune_batch.main):
        line = refused(["--models", str(renamed)], capsys, command)
        assert line.startswith(f"error: --models {renamed}: the path must not have")


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "\x1b[31m", "x" * 70_000])
def test_a_model_has_a_name_of_one_line(name: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a model needs a name of one line" in refused(["--models", str(models), "--name", name], capsys)


@pytest.mark.parametrize("option", ["--budget-ms", "--seconds"])
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e999", "soon", ""])
def test_odd_numbers_are_refused(option: str, value: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["--models", str(models), f"{option}={value}"], capsys, tune_batch.main)
    assert f"argument {option}: {value!r} is not a number" in line


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "below", Path("/proc/parameters.txt"), Path("/dev/null")):
        line = refused(["--models", str(models), "--write", str(path)], capsys, tune_batch.main)
        assert line.startswith(f"error: --write {path}: ")


def test_the_models_limit_is_in_every_signature(models: Path) -> None:
    """The server used a limit of its own, and the client did not know the model's."""
    signatures = read_signatures(models / "7")
    assert {row_limit(signature) for signature in signatures.values()} == {MAX_ROWS}
    loaded = tf.saved_model.load(str(models / "7"))
    assert set(loaded.signatures) == set(signatures)


@pytest.mark.slow
def test_client_and_server_heed_the_models_limit(models: Path, feed: TinyFeed) -> None:
    many = serialized(feed.rows[:1]) * (MAX_ROWS + 1)
    message = f"examples: {MAX_ROWS + 1} candidates, but a request holds at most {MAX_ROWS}"
    with serve(models / "7", MODEL) as address:
        with FeedRankerClient(address, MODEL, timeout_s=60.0) as client:
            assert len(client.score_examples(many[:-1])["click"]) == MAX_ROWS
            with pytest.raises(InvalidRequestError, match=message):
                client.score_examples(many)
        with FeedRankerClient(address, MODEL, timeout_s=60.0, mini_batch=MAX_ROWS * 2) as client:
            scores = client.score_examples(many)["click"]
            assert len(scores) == MAX_ROWS + 1
            np.testing.assert_allclose(scores, scores[0], atol=1e-6)
        with (
            FeedRankerClient(address, MODEL, timeout_s=60.0, max_rows=5) as client,
            pytest.raises(InvalidRequestError, match="at most 5"),
        ):
            client.score_examples(many[:6])
    with (
        serve(models / "7", MODEL, max_rows=3) as address,
        FeedRankerClient(address, MODEL, timeout_s=60.0) as client,
        pytest.raises(InvalidRequestError, match="4 candidates, but a request holds at most 3"),
    ):
        client.score_examples(many[:4])


@pytest.mark.parametrize("numbers", [{"max_rows": 0}, {"mini_batch": 0}, {"mini_batch": -1}, {"timeout_s": 0.0}])
def test_a_client_refuses_odd_numbers(numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(numbers))):
        FeedRankerClient("localhost:8500", MODEL, **numbers)
