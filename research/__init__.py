"""What models are worth: quality beside rivals, studies of single choices, retraining."""
