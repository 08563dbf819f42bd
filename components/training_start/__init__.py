"""What a day's training starts from: decided once, when the pipeline runs. `plan` needs no TFX."""
