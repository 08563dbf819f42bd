"""`python -m research.quality.experts`: installs the environment that the rival networks run in, 1.3 GB."""

from research.quality.experts.environment import python

if __name__ == "__main__":
    print(python())
