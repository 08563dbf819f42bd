"""Explains a few impressions of the eval split for the page."""

import itertools

from pydantic import ValidationError
from tfx import types
from tfx.types import artifact_utils
from tfx.utils import io_utils

from ranker.explanation.explainer import Explainer
from ranker.explanation.impressions import MOST_ROWS, ExplainedImpression, explain_impressions
from ranker.export.inspection import example_batches
from ranker.export.loading import LOAD_ERRORS, load_problem
from ranker.registry.manifest import Manifest

_SPLIT = "eval"


def explained_impressions(
    examples: list[types.Artifact], model: str, manifest: Manifest
) -> tuple[dict[str, tuple[ExplainedImpression, ...]], str]:
    """Objective → explained impressions of the eval split, and why there are none, or "".

    The page is complete without them, so a model that cannot be explained fails no run.

    Args:
        examples: FeedLogGen's.
        model: the local folder of the SavedModel.
        manifest: of the model.
    """
    objectives = [objective["name"] for objective in manifest.config.get("objectives", [])]
    try:
        explainer = Explainer(model, manifest)
        patterns = [io_utils.all_files_pattern(uri) for uri in artifact_utils.get_split_uris(examples, _SPLIT)]
        rows = list(itertools.chain.from_iterable(itertools.islice(example_batches(patterns, MOST_ROWS), 1)))
        return explain_impressions(explainer, rows, objectives), ""
    except (*LOAD_ERRORS, ValidationError) as error:
        return {}, load_problem(error)
