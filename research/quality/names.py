"""The names of the compared models, for command lines; `research.quality.models` has the models."""

OURS = "ours"
WITH_EFFECTS = "ours with random effects"
"""Our model with random effects on top; no rival of ours."""

TWO_TOWERS = "two towers alone"
XGBOOST = "XGBoost per objective"
FORMER = "LR on leaves"

MODEL_NAMES = (
    *(OURS, WITH_EFFECTS, TWO_TOWERS, "joint network", "network per objective", XGBOOST, FORMER),
    *("MMoE", "PLE", "DCN v2", "TabM"),
)
"""In the order of tables."""
