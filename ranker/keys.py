"""Names of the tensors that pass between the steps, written by one step and read by another."""

# Written by Transform.
FOREST_FEATURES = "forest_features"  # float32 [batch, forest features]; NaN where missing
NUMERIC = "numeric"  # float32 [batch, numeric features], standardised and bounded; 0 where missing; absent where none
CATEGORICAL = "categorical"  # int64 [batch, categorical features], codes; absent where the towers read none
LABELS = "labels"  # float32 [batch, objectives], in the order of the config
VIEWER_BUCKET = "viewer_bucket"  # int64 [batch, 1], a hash of the viewer in [0, VIEWER_BUCKETS)
VIEWER_BUCKETS = 1000
CALIBRATION_KEY = "calibration_key"  # int64 [batch, 1], code of what calibration differs by; absent where by nothing

# Written by LeafEncoder in place of FOREST_FEATURES.
LEAVES = "leaves"  # bytes [batch, 1]: one little-endian uint16 (uint32 above 65,536 leaves) per tree

# Added to a batch of training rows where the config leaves negatives out.
LOSS_WEIGHTS = "loss_weights"  # float32 [batch, objectives], what each cross entropy counts; 1 on average
LOGIT_OFFSET = "logit_offset"  # float32 [batch, objectives], what leaving negatives out adds to the log-odds
