"""The modelling itself, as plain functions that know nothing of TFX: forest, towers, evaluation, serving."""
