"""A blessed model becomes the next numbered version, all at once or not at all."""
