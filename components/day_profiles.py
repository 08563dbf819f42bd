"""The files of a DayProfiles artifact: what FeedLogGen writes and ExampleValidator reads."""

import os
from datetime import date

from tfx.dsl.io import fileio

from ranker.files import write_text
from ranker.monitoring.profile import DayProfile
from ranker.monitoring.stored_profile import StoredProfile

_SUFFIX = ".json"


def profile_text(profile: DayProfile) -> str:
    """A profile as text. It has no fingerprint of its data, which the artifact's run has."""
    return StoredProfile.of(profile, "").to_json()


def profile_of(text: str, name: str = "profile.json") -> DayProfile:
    """Reads the output of `profile_text`.

    Raises:
        ValueError: the text is damaged, or has the format of another version of the code.
    """
    stored = StoredProfile.from_json(text, name)
    if stored is None:
        raise ValueError(f"{name}: another version of the code wrote it; run FeedLogGen again")
    return stored.restored()


def write_profile(uri: str, day: str, text: str) -> None:
    """Writes the profile of a day into the artifact's folder."""
    write_text(os.path.join(uri, day + _SUFFIX), text + "\n")


def read_profiles(uri: str) -> dict[date, DayProfile]:
    """The profiles of an artifact by day, oldest first.

    Raises:
        ValueError: a file is damaged.
    """
    profiles = {}
    for name in sorted(name for name in fileio.listdir(uri) if name.endswith(_SUFFIX)):
        path = os.path.join(uri, name)
        with fileio.open(path) as file:
            profiles[date.fromisoformat(name.removesuffix(_SUFFIX))] = profile_of(file.read(), path)
    return profiles
