"""The names of the compared models, for command lines; `research.quality.models` has the models."""

OURS = "ours"
TWO_TOWERS = "two towers alone"
XGBOOST = "XGBoost per objective"
FORMER = "LR on leaves"

MODEL_NAMES = (
    *(OURS, TWO_TOWERS, "joint network", "network per objective", XGBOOST, FORMER),
    *("MMoE", "PLE", "DCN v2", "TabM"),
)
"""In the order of tables."""
