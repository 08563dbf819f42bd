"""The XGBoost forest that turns features into leaves: training it, numbering its leaves, and finding them fast."""
