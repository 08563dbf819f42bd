"""Why a score: what each feature column adds to an impression's log-odds, for the forest and for the towers."""
