"""The vocabulary of the simulated network and its affinities, such as those of industries to topics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OBJECTIVES = ("click", "long_dwell", "like", "comment", "reshare", "creator_reply")

TOPICS = (
    "ai",
    "careers",
    "climate",
    "cloud",
    "design",
    "economy",
    "education",
    "finance",
    "health",
    "leadership",
    "marketing",
    "policy",
    "remote_work",
    "sales",
    "software",
    "startups",
)

INDUSTRY_TOPICS: dict[str, tuple[str, ...]] = {
    "software": ("software", "ai", "cloud", "startups"),
    "financial_services": ("finance", "economy", "policy"),
    "healthcare": ("health", "policy", "ai"),
    "education": ("education", "careers", "ai"),
    "retail": ("sales", "marketing", "economy"),
    "manufacturing": ("economy", "climate", "leadership"),
    "consulting": ("leadership", "economy", "careers"),
    "media": ("marketing", "design", "policy"),
    "energy": ("climate", "policy", "economy"),
    "recruiting": ("careers", "remote_work", "leadership"),
    "public_sector": ("policy", "education", "health"),
    "design_and_advertising": ("design", "marketing", "startups"),
}
INDUSTRIES = tuple(INDUSTRY_TOPICS)

SENIORITIES = ("student", "entry", "senior", "manager", "director", "vp", "cxo", "owner")
SENIORITY_SHARES = (0.09, 0.25, 0.27, 0.17, 0.09, 0.04, 0.03, 0.06)

# Share of the viewers, and offset from UTC in hours.
COUNTRIES: dict[str, tuple[float, float]] = {
    "us": (0.30, -6.0),
    "in": (0.17, 5.5),
    "br": (0.08, -3.0),
    "gb": (0.07, 0.0),
    "fr": (0.05, 1.0),
    "de": (0.04, 1.0),
    "ca": (0.04, -5.0),
    "mx": (0.04, -6.0),
    "id": (0.04, 7.0),
    "it": (0.03, 1.0),
    "es": (0.03, 1.0),
    "au": (0.03, 10.0),
    "nl": (0.02, 1.0),
    "tr": (0.02, 3.0),
    "ph": (0.02, 8.0),
    "za": (0.02, 2.0),
}

DEVICES = ("desktop_web", "ios", "android", "mobile_web")
DESKTOP = DEVICES.index("desktop_web")
SURFACES = ("home", "notification", "network_tab", "interest_feed")
SURFACE_SHARES = (0.68, 0.12, 0.09, 0.11)
NOTIFICATION = SURFACES.index("notification")

AUTHOR_TYPES = ("member", "company", "influencer", "newsletter")
AUTHOR_TYPE_SHARES = (0.78, 0.14, 0.03, 0.05)
COMPANY = AUTHOR_TYPES.index("company")

CONTENT_TYPES = ("text", "image", "article", "video", "document", "poll", "job")
ARTICLE, VIDEO, POLL = (CONTENT_TYPES.index(kind) for kind in ("article", "video", "poll"))
CONTENT_TYPE_SHARES = (0.26, 0.28, 0.16, 0.13, 0.06, 0.04, 0.07)

DEGREES = ("first", "followed", "second", "out_of_network")
FIRST, FOLLOWED = DEGREES.index("first"), DEGREES.index("followed")

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def topic_affinity_of_industries() -> Floats:
    """[industries, topics], how much more an industry is interested in a topic than in any other."""
    affinity = np.zeros((len(INDUSTRIES), len(TOPICS)), np.float32)
    for row, topics in enumerate(INDUSTRY_TOPICS.values()):
        for rank, topic in enumerate(topics):
            affinity[row, TOPICS.index(topic)] = 2.2 - 0.3 * rank
    return affinity
