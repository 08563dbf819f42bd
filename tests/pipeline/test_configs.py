import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.configs import ConfigError, load_config
from pipeline_config import CONFIGS, FEED


def test_a_config_by_its_name() -> None:
    assert load_config("feed") is FEED


def test_the_error_of_an_unknown_name_lists_the_configs() -> None:
    with pytest.raises(ConfigError, match=rf"^--config nope: pipeline_config.py has {', '.join(sorted(CONFIGS))}$"):
        load_config("nope")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "from pipeline.config import Forest\nForest(trees=-1)\n",
            r"^pipeline_config.py: Forest.trees: input should be greater than or equal to 0, got -1$",
        ),
        (
            "from pipeline.config import DenseEmbedding\nDenseEmbedding('text', 10**9)\n",
            r"^pipeline_config.py: DenseEmbedding 'text'.size: input .* less than or equal to 65536, got 1000000000$",
        ),
        (
            "from pipeline.config import Training\nTraining(learning_rate=50, epochs=0)\n",
            r"^pipeline_config.py: Training.epochs: .*, got 0; Training.learning_rate: .* or equal to 1, got 50$",
        ),
        (
            "from pipeline.config import DenseEmbedding, Features\nFeatures(dense=(DenseEmbedding('numeric', 2),))\n",
            r"^pipeline_config.py: Features: features.dense: 'numeric' is reserved, because .*rename the column",
        ),
        (
            "from pipeline.config import Features, Objective, PipelineConfig\n"
            "PipelineConfig('tiny', (Objective('a', 'active'),), Features(numeric=('x',)), 's.pbtxt', ((),))\n",
            r"^pipeline_config.py: PipelineConfig: config 'tiny': slices: an entry is empty",
        ),
        (
            "from pipeline.config import Objective\nSHOP = (\n    Objective('order', tower='pasive'),\n)\n",
            r"^pipeline_config.py: SHOP: Objective 'order'.tower: input should be 'passive' or 'active', got 'pasive'$",
        ),
        (
            "from pipeline.config import Numeric\nNumeric('price', column='')\n",
            r"^pipeline_config.py: Numeric 'price'.column: string should have at least 1 character, got ''$",
        ),
        (
            "from pipeline.config import MultiValued\nMultiValued('tags', 9999)\n",
            r"^pipeline_config.py: MultiValued 'tags'.vocabulary_size: .* to 1024, got 9999$",
        ),
        (
            "from pipeline.config import Categorical\nCategorical('a', colour='red')\n",
            r"^pipeline_config.py: Categorical 'a'.colour: unexpected keyword argument, got 'red'$",
        ),
        (
            "from pipeline.config import Exposure\nExposure('slot', default=True)\n",
            r"^pipeline_config.py: Exposure 'slot'.default: a number is expected or a valid string, got True$",
        ),
        (
            "from pipeline.config import Exposure\nExposure('slot')\n",
            r"^pipeline_config.py: Exposure 'slot'.default: it needs a value$",
        ),
        (
            "from pipeline.config import Rows\nRows(where=[('bot', '==', None)])\n",
            r"^pipeline_config.py: Rows.where.0.0.2: input should be a valid boolean .* a valid tuple, got None$",
        ),
        (
            "from pipeline.config import Features\nFeatures(history=('authors',))\n",
            r"^pipeline_config.py: Features.history.0: .* of History or .* of EmbeddingHistory, got 'auth",
        ),
        ("CONFIGS = {'shop': Keys()}\n", r"^pipeline_config.py: NameError: name 'Keys' is not defined$"),
        ("from pipeline.config import Kies\n", r"^pipeline_config.py: ImportError: .*'Kies'"),
        ("from pipeline.config import Keys\nKeys(viewr='a')\n", r"(?s)^pipeline_config.py: .*viewr"),
        ("\nCONFIGS = {\n    'shop': (1 2),\n}\n", r"^pipeline_config.py: line 3: invalid syntax. Perhaps you forgot"),
        ("if True:\nCONFIGS = {}\n", r"^pipeline_config.py: line 2: expected an indented block after 'if' statement"),
        ("import broken\n", r"^pipeline_config.py: broken.py: line 2: '\(' was never closed$"),
        ("assert 1 > 2, 'no'\n", r"^pipeline_config.py: AssertionError: no$"),
        ("open('rates.csv')\n", r"^pipeline_config.py: FileNotFoundError: .*'rates.csv'$"),
        ("SHOP = 1\n", r"^pipeline_config.py: it has no CONFIGS, the dict of names and configs$"),
        ("CONFIGS = None\n", r"^pipeline_config.py: CONFIGS has to be a dict of names and configs, got None$"),
        ("CONFIGS = ['feed']\n", r"^pipeline_config.py: CONFIGS has to be a dict .*, got \['feed'\]$"),
        ("CONFIGS = {}\n", r"^pipeline_config.py: CONFIGS is empty$"),
        ("CONFIGS = {3: None, 'a': None}\n", r"^pipeline_config.py: CONFIGS: the name of a config is a text, got 3$"),
    ],
)
def test_a_mistake_in_the_file_is_a_config_error(
    content: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline_config.py").write_text(content)
    (tmp_path / "broken.py").write_text("\nA = (\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pipeline_config")
    with pytest.raises(ConfigError, match=message):
        load_config("feed")


FUNCTIONS = """
from dataclasses import replace
from importlib import import_module
from pipeline.config import Features, Objective, PipelineConfig, Training

GOOD = PipelineConfig("good", (Objective("a", "active"),), Features(numeric=("x",)), "s.pbtxt")

def wrong_objective():
    return replace(GOOD, name="shop", objectives=(Objective("order", "activ"),))

def wrong_field():
    return replace(GOOD, name="late", train_days=0)

def wrong_feature():
    return replace(GOOD, name="news", slices=(("x",),))

CONFIGS = {
    "good": GOOD, "built": lambda: replace(GOOD, name="built"), "other": GOOD, "copy": lambda: GOOD,
    "shop": wrong_objective, "late": wrong_field, "news": wrong_feature,
    "part": lambda: replace(GOOD, training=Training(epochs=0)), "typo": lambda: GODD, "none": lambda: None,
    "text": "feed", "void": None, "broken": lambda: compile("a b", "pipeline_config.py", "exec"),
}
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop", "config shop: Objective 'order'.tower: input should be 'passive' or 'active', got 'activ'"),
        ("late", "config late: PipelineConfig 'late'.train_days: input should be greater than 0, got 0"),
        ("news", r"config news: PipelineConfig: config 'news': slices: \['x'\] are not among the categorical features"),
        ("part", "config part: Training.epochs: input should be greater than 0, got 0"),
        ("typo", "config typo: NameError: name 'GODD' is not defined"),
        ("none", "config none: its function returned None, which is no config"),
        ("text", "config text: CONFIGS holds configs or functions, got 'feed'"),
        ("void", "config void: CONFIGS holds configs or functions, got None"),
        ("broken", "config broken: line 1: invalid syntax"),
        ("other", "config other: its PipelineConfig has the name 'good'; CONFIGS has to have it under the same name$"),
        ("copy", "config copy: its PipelineConfig has the name 'good'; CONFIGS has to have it under the same name$"),
    ],
)
def test_a_config_that_a_function_builds_blocks_no_other(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline_config.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pipeline_config")
    assert load_config("good") == replace(load_config("built"), name="good")
    with pytest.raises(ConfigError, match=f"^pipeline_config.py: {message}"):
        load_config(name)


def test_beam_arguments_are_checked_where_a_config_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(FEED, beam_pipeline_args=("--runner=DataflowRunner",))
    monkeypatch.setitem(CONFIGS, "feed", wrong)
    with pytest.raises(ConfigError, match=r"config feed: .*--runner=DataflowRunner needs --project"):
        load_config("feed")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("kubeflow.cli", "compile"),
        ("kubeflow.cli", "submit --host localhost"),
        ("compare", "shop shop --feed-log . --day 2026-01-01"),
        ("replay", "--feed-log log --model model"),
        ("infer_schema", "--feed-log log"),
        ("histories", "--feed-log log --output histories.parquet"),
    ],
)
def test_commands_refuse_a_file_that_is_no_python(
    command: str,
    arguments: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pipeline_config.py").write_text("CONFIGS = {'shop': (1 2)}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pipeline_config")
    named = [] if command == "compare" else ["--config", "shop"]
    assert import_module(f"pipeline.{command}").main([*arguments.split(), *named]) == 2
    assert capsys.readouterr().err.startswith("error: pipeline_config.py: line 1: invalid syntax")
    assert [file.name for file in tmp_path.iterdir()] == ["pipeline_config.py"]
