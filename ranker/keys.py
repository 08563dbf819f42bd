"""Names of the tensors that one pipeline step writes and another reads.

The strings are those of `ranker.config.names`, because a config refuses columns with these names.
"""

from ranker.config import names

# Written by Transform.
FOREST_FEATURES = names.FOREST_FEATURES  # float32 [batch, forest features]; NaN where missing
NUMERIC = (
    names.NUMERIC
)  # float32 [batch, numeric features], standardised and bounded; 0 where missing; absent where none
CATEGORICAL = names.CATEGORICAL  # int64 [batch, categorical features], codes; absent where the towers read none
HASHED_IDS = names.HASHED_IDS  # int64 [batch, 2 * id columns], rows of their tables; absent without id columns
LABELS = names.LABELS  # float32 [batch, objectives], in the order of the config; NaN where not observed
ROW_WEIGHT = names.ROW_WEIGHT  # float32 [batch, 1], the weight in training; absent where every impression weighs 1
VIEWER_BUCKET = names.VIEWER_BUCKET  # int64 [batch, 1], a hash of the viewer in [0, VIEWER_BUCKETS)
VIEWER_BUCKETS = 1000
CALIBRATION_KEY = names.CALIBRATION_KEY  # int64 [batch, 1], the value's code; absent if calibration has no key
# Only where the config has an examination model:
EXPOSURE_VALUES = names.EXPOSURE_VALUES  # float32 [batch, exposure columns], numbers and hash buckets of categories
EXAMINED_BY = names.EXAMINED_BY  # int64 [batch, features], codes; absent where examination depends on no feature
RANDOM_SESSION = names.RANDOM_SESSION  # int64 [batch, 1], a hash of the session; -1 if its order was not random

# Written by LeafEncoder in place of FOREST_FEATURES.
LEAVES = names.LEAVES  # bytes [batch, 1]: one little-endian uint16 (uint32 above 65,536 leaves) per tree

# Added to a batch of training rows where labels are not observed, impressions are weighted, or negatives are dropped.
LOSS_WEIGHTS = names.LOSS_WEIGHTS  # float32 [batch, objectives], the weight of each cross entropy; 1 on average
# Added where the config drops negatives.
LOGIT_OFFSET = names.LOGIT_OFFSET  # float32 [batch, objectives], what dropping negatives adds to the log-odds

# Added where the config has an examination model.
LOG_EXAMINATION = names.LOG_EXAMINATION  # float32 [batch, 1], the logarithm of examination, at most 0

# An output of serving_default, beside the objectives, where the config has an examination model.
EXAMINATION = names.EXAMINATION  # float32 [batch], in (0, 1]; the probabilities are proportional to it
