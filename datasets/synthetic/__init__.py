"""The built-in feed: a simulator of a professional network's homepage, with the true probabilities of the outcomes.

`generate` writes a feed log that the simulator's production ranker ordered. `Simulator` gives the sessions of a day, to
be ranked by anybody; its module has an example.
"""

from datasets.synthetic.candidates import Candidates, Expectations, Shown
from datasets.synthetic.feed import DaySummary, generate
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator

__all__ = ["Candidates", "DaySummary", "Expectations", "FeedParameters", "Shown", "Simulator", "generate"]
