import errno
import os
from pathlib import Path

import pytest
from tfx.proto import pusher_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import proto_utils

from components.pusher import executor as module
from components.pusher.component import Pusher
from components.pusher.executor import Executor
from ranker.registry.manifest import Manifest
from ranker.registry.rollback import roll_back
from ranker.registry.versions import find_serving_version
from ranker.registry.withdrawal import destination_state, read_withdrawals, withdraw
from tests.ranker.registry.test_versions import of_training, push


def destination_of(folder: Path | str) -> pusher_pb2.PushDestination:
    return pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(folder)))


def run(
    tmp_path: Path,
    blessed: bool,
    name: str = "model",
    training: str = "",
    publish_withdrawn: str = "false",
    push_it: str = "true",
    config: str = "",
    replaces: str = "",
    day: str = "",
    state: str = "",
) -> standard_artifacts.PushedModel:
    model, blessing, pushed = (
        standard_artifacts.Model(),
        standard_artifacts.ModelBlessing(),
        standard_artifacts.PushedModel(),
    )
    for artifact, key in ((model, "model"), (blessing, "blessing"), (pushed, "pushed")):
        artifact.uri = str(tmp_path / name / key)
        os.makedirs(artifact.uri)
    serving = tmp_path / name / "model" / "Format-Serving"
    manifest = (
        Manifest(config_name=config, training_fingerprint=training, eval_day=day).to_json()
        if config
        else of_training(training)
    )
    push(serving.parent, serving.name, manifest)
    blessing.set_int_custom_property("blessed", int(blessed))
    Executor().Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {
            "push_destination": proto_utils.proto_to_json(destination_of(tmp_path / "serving")),
            "keep_models": 2,
            "publish_withdrawn": publish_withdrawn,
            "push": push_it,
            "replaces": replaces,
            "destination_state": state,
        },
    )
    return pushed


def test_a_blessed_model_becomes_a_version(tmp_path: Path) -> None:
    pushed = run(tmp_path, blessed=True)
    (version,) = os.listdir(tmp_path / "serving")
    assert (tmp_path / "serving" / version / "saved_model.pb").read_text() == f"model {of_training('')}"
    assert (Path(pushed.uri) / "saved_model.pb").read_text() == f"model {of_training('')}"
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == version
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "serving" / version)


def test_a_model_without_the_blessing_does_not(tmp_path: Path) -> None:
    pushed = run(tmp_path, blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("pushed_version") == ""
    assert not (tmp_path / "serving").exists()
    assert os.listdir(pushed.uri) == []


def test_a_run_that_pushed_and_was_stopped_does_not_push_again(tmp_path: Path) -> None:
    versions = [
        run(tmp_path, True, name, "monday").get_string_custom_property("pushed_version") for name in ("killed", "again")
    ]
    assert versions[0] == versions[1]
    assert os.listdir(tmp_path / "serving") == [versions[0]]


def test_old_versions_are_removed_after_a_push(tmp_path: Path) -> None:
    pushed = [run(tmp_path, True, name, name) for name in ("monday", "tuesday", "wednesday")]
    versions = [artifact.get_string_custom_property("pushed_version") for artifact in pushed]
    assert sorted(os.listdir(tmp_path / "serving")) == versions[1:]
    run(tmp_path, False, "thursday", "thursday")
    assert sorted(os.listdir(tmp_path / "serving")) == versions[1:]


def test_a_push_that_is_retried_after_a_later_rollback_is_not_repeated(tmp_path: Path) -> None:
    run(tmp_path, True, "first", "monday")
    run(tmp_path, True, "second", "tuesday")
    done = roll_back(str(tmp_path / "serving"))
    retried = run(tmp_path, True, "retried", "monday")
    assert retried.get_string_custom_property("pushed_version") == done.version


def test_the_model_of_another_config_is_replaced_only_on_request(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    first = run(tmp_path, True, "feed", "monday", config="feed").get_string_custom_property("pushed_version")
    refused = run(tmp_path, True, "shop", "tuesday", config="shop", replaces="fed")
    assert refused.get_int_custom_property("pushed") == 0
    assert refused.get_string_custom_property("not_pushed") == (
        f"version {first} at {serving} is a model of the config 'feed', which a model of 'shop' would replace, so "
        "nothing was published; --replaces feed publishes it"
    )
    assert os.listdir(refused.uri) == []
    assert os.listdir(serving) == [first]
    requested = run(tmp_path, True, "requested", "tuesday", config="shop", replaces="feed")
    second = requested.get_string_custom_property("pushed_version")
    assert int(second) > int(first)
    # Pushed already, it is its own config's model: a repeated run finds it, and the next day replaces it.
    again = run(tmp_path, True, "again", "tuesday", config="shop")
    assert again.get_string_custom_property("pushed_version") == second
    assert run(tmp_path, True, "wednesday", "wednesday", config="shop").get_int_custom_property("pushed") == 1
    assert run(tmp_path, True, "thursday", "monday", config="feed").get_int_custom_property("pushed") == 0


def test_a_model_of_a_later_day_is_replaced_only_on_request(tmp_path: Path) -> None:
    """A run of Monday that is retried after Tuesday's has pushed."""
    serving = tmp_path / "serving"
    tuesday = run(tmp_path, True, "tuesday", "tuesday", config="feed", day="2026-03-10")
    version = tuesday.get_string_custom_property("pushed_version")
    retried = run(tmp_path, True, "retried", "monday", config="feed", day="2026-03-09", state="none")
    assert retried.get_string_custom_property("not_pushed") == (
        f"version {version} at {serving} was trained for 2026-03-10, and a model for 2026-03-09 would replace it, so "
        "nothing was published; --replaces feed publishes it"
    )
    assert os.listdir(serving) == [version]
    # A day's own retry, and the day after.
    again = run(tmp_path, True, "again", "tuesday anew", config="feed", day="2026-03-10")
    assert again.get_int_custom_property("pushed") == 1
    requested = run(tmp_path, True, "requested", "monday", config="feed", day="2026-03-09", replaces="feed")
    assert requested.get_int_custom_property("pushed") == 1
    # A local run whose user was told of the later model when it was planned.
    run(tmp_path, True, "later", "later", config="feed", day="2026-03-12")
    newest = max(os.listdir(serving), key=int)
    planned = run(tmp_path, True, "planned", "monday anew", config="feed", day="2026-03-09", state=newest)
    assert planned.get_int_custom_property("pushed") == 1


def test_a_withdrawn_model_is_not_published_again(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    run(tmp_path, True, "first", "monday")
    withdrawn = run(tmp_path, True, "second", "tuesday").get_string_custom_property("pushed_version")
    done = roll_back(str(serving))
    before = sorted(os.listdir(serving))
    again = run(tmp_path, True, "retrained", "tuesday")
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property("not_pushed") == (
        f"this model served as version {withdrawn} until a rollback withdrew it, so nothing was published; "
        "--publish-withdrawn publishes it again"
    )
    assert os.listdir(again.uri) == []
    assert sorted(os.listdir(serving)) == before
    assert find_serving_version(str(serving)) == done.version
    # Another training is published as always.
    assert run(tmp_path, True, "third", "wednesday").get_int_custom_property("pushed") == 1


def test_a_withdrawn_model_is_published_on_request_and_is_not_withdrawn_afterwards(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    run(tmp_path, True, "first", "monday")
    run(tmp_path, True, "second", "tuesday")
    done = roll_back(str(serving))
    requested = run(tmp_path, True, "requested", "tuesday", publish_withdrawn="true")
    version = requested.get_string_custom_property("pushed_version")
    assert requested.get_string_custom_property("not_pushed") == ""
    assert find_serving_version(str(serving)) == version
    assert int(version) > int(done.version)
    # A retry finds it, and a run without the request too.
    for name in ("retried", "repeated"):
        again = run(tmp_path, True, name, "tuesday")
        assert again.get_string_custom_property("pushed_version") == version


def test_a_requested_push_that_fails_leaves_the_model_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = tmp_path / "serving"
    run(tmp_path, True, "first", "monday")
    run(tmp_path, True, "second", "tuesday")
    done = roll_back(str(serving))

    def full(*arguments: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "publish", full)
        with pytest.raises(OSError, match="No space left"):
            run(tmp_path, True, "failed", "tuesday", publish_withdrawn="true")
    unasked = run(tmp_path, True, "unasked", "tuesday")
    assert unasked.get_int_custom_property("pushed") == 0
    assert find_serving_version(str(serving)) == done.version


def test_a_requested_push_that_is_killed_before_it_ends_the_withdrawal_is_completed_by_any_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = tmp_path / "serving"
    run(tmp_path, True, "first", "monday")
    run(tmp_path, True, "second", "tuesday")
    roll_back(str(serving))
    held = destination_state(str(serving), "tuesday")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "reinstate", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, True, "killed", "tuesday", publish_withdrawn="true")
    version = find_serving_version(str(serving))
    # Otherwise the cache would answer what a run before the request found.
    assert destination_state(str(serving), "tuesday") != held
    unasked = run(tmp_path, True, "unasked", "tuesday")
    assert unasked.get_int_custom_property("pushed") == 1
    assert unasked.get_string_custom_property("pushed_version") == version
    assert find_serving_version(str(serving)) == version
    assert read_withdrawals(str(serving)).of_training("tuesday") is None


def test_a_rollback_that_was_killed_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = tmp_path / "serving"
    run(tmp_path, True, "first", "monday")
    run(tmp_path, True, "second", "tuesday")
    roll_back(str(serving))
    with monkeypatch.context() as patched:
        patched.setattr(module, "reinstate", lambda *_: None)
        requested = run(tmp_path, True, "killed", "tuesday", publish_withdrawn="true")
    version = requested.get_string_custom_property("pushed_version")
    # It is withdrawn twice. The second rollback gets no further than this.
    withdraw(str(serving), version)
    unasked = run(tmp_path, True, "unasked", "tuesday")
    assert unasked.get_int_custom_property("pushed") == 0
    assert f"as version {version} until a rollback" in unasked.get_string_custom_property("not_pushed")
    done = roll_back(str(serving))
    assert done.instead_of == version
    assert run(tmp_path, True, "later", "tuesday").get_int_custom_property("pushed") == 0
    assert find_serving_version(str(serving)) == done.version


def test_a_withdrawn_model_that_is_not_blessed_is_not_published_on_request(tmp_path: Path) -> None:
    run(tmp_path, True, "first", "monday")
    run(tmp_path, True, "second", "tuesday")
    done = roll_back(str(tmp_path / "serving"))
    run(tmp_path, False, "refused", "tuesday", publish_withdrawn="true")
    assert find_serving_version(str(tmp_path / "serving")) == done.version


def test_nothing_is_pushed_if_so_requested(tmp_path: Path) -> None:
    kept = run(tmp_path, True, push_it="false")
    assert kept.get_int_custom_property("pushed") == 0
    assert kept.get_string_custom_property("not_pushed") == "nothing was published, as --no-push requests"
    assert not (tmp_path / "serving").exists()
    refused = run(tmp_path, False, "refused", push_it="false")
    assert refused.get_string_custom_property("not_pushed") == ""
    # The same model is pushed by a later run.
    assert run(tmp_path, True, "later").get_int_custom_property("pushed") == 1


def test_the_request_is_true_or_false(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='push: it is "true" or "false", got \'no\''):
        run(tmp_path, True, "other", push_it="no")
    with pytest.raises(ValueError, match='publish_withdrawn: it is "true" or "false", got \'yes\''):
        run(tmp_path, True, publish_withdrawn="yes")


def test_the_component_keeps_the_stock_interface() -> None:
    model = channel_utils.as_channel([standard_artifacts.Model()])
    blessing = channel_utils.as_channel([standard_artifacts.ModelBlessing()])
    pusher = Pusher(model=model, model_blessing=blessing, push_destination=destination_of("serving"), keep_models=5)
    assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert pusher.EXECUTOR_SPEC.executor_class is Executor
    assert pusher.exec_properties["keep_models"] == 5
    assert pusher.exec_properties["publish_withdrawn"] == "false"
    assert len(pusher.exec_properties["code_fingerprint"]) == 16
    with pytest.raises(ValueError, match=r"filesystem\.base_directory is needed"):
        Pusher(model=model, model_blessing=blessing, push_destination=pusher_pb2.PushDestination(), keep_models=5)
