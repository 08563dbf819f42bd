"""What the names of columns say: words by the role that they hint at."""

import re

_SPLIT = re.compile(r"[^\W_]+")
_WINDOW = re.compile(r"\d+(?:h|hours?|d|days?|w|weeks?|months?)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


SESSION = {
    **dict.fromkeys(("session", "sessionid", "sess", "sid"), 6.0),
    **dict.fromkeys(("visit", "request", "pageview", "impressionid", "search", "query", "feed", "slate", "batch"), 4.0),
    **dict.fromkeys(("page", "view", "send", "mailing"), 1.0),
}
VIEWER = {
    **dict.fromkeys(("viewer", "user", "userid", "member", "visitor", "uid"), 6.0),
    **dict.fromkeys(("customer", "reader", "subscriber", "recipient", "person", "listener", "player", "buyer"), 5.0),
    **dict.fromkeys(("account", "client", "profile", "cookie", "household", "contact", "guest", "shopper"), 4.0),
}
ITEM = {
    **dict.fromkeys(("item", "itemid", "iid", "article", "post", "video", "recipe", "product", "listing", "sku"), 6.0),
    **dict.fromkeys(("content", "document", "doc", "story", "news", "ad", "creative", "movie", "song", "track"), 5.0),
    **dict.fromkeys(("photo", "job", "note", "offer", "email", "mail", "message", "campaign", "pin", "clip"), 4.0),
}
TIMESTAMP = {
    **dict.fromkeys(("timestamp", "ts", "time", "datetime"), 4.0),
    **dict.fromkeys(("shown", "impression", "served", "sent", "event", "logged"), 3.0),
    **dict.fromkeys(("at", "date", "day"), 1.0),
}
ID = frozenset({"id", "ids", "uuid", "guid", "key", "hash", "uid", "sku", "nr"})
CODE = ID | _set(
    "code type kind category class group segment cluster tab channel zip zipcode postcode status brand region country "
    "city state weekday dow device platform surface language locale gender cohort bucket variant "
    "onehot level degree week"
)
OUTCOME = _set(
    "click clicked open opened like liked love loved comment commented reply replied answered share shared reshare "
    "reshared repost retweet save saved bookmark bookmarked follow followed subscribe subscribed unsubscribe "
    "unsubscribed hide hidden hate hated dislike disliked report reported block blocked skip skipped dismiss dismissed "
    "view viewed watch watched play played finish finished complete completed read dwell purchase purchased buy bought "
    "order ordered convert converted conversion install installed signup register registered book booked apply "
    "applied enter entered visit visited label target outcome response reward forward forwarded vote voted upvote "
    "downvote cart join joined accept accepted engaged spam unfollow"
)
NEGATIVE = _set(
    "unsubscribe unsubscribed hide hidden hate hated dislike disliked report reported block blocked skip skipped "
    "dismiss dismissed downvote spam unfollow"
)
ACTIVE = _set(
    "like liked love loved comment commented reply replied answered share shared reshare reshared repost retweet save "
    "saved bookmark bookmarked follow followed subscribe subscribed forward forwarded vote voted upvote purchase "
    "purchased buy bought order ordered convert converted conversion install installed signup register registered "
    "book booked apply applied enter entered cart join joined accept accepted"
)
HISTORY = _set("before previous prev last past history earlier ever rate avg mean total prior")
STATISTIC = HISTORY | _set(
    "count counts num number sum median std ctr freq frequency since ago days weeks months lifetime score predicted "
    "probability"
)
POSITION = _set("position pos rank slot place index")
EXPLORATION = _set("random randomised randomized exploration explore propensity holdout")


def words(name: str) -> list[str]:
    """The words of a name, in lower case.

    Example:
        >>> words("itemId"), words("viewer_like_rate 30d")
        (['item', 'id'], ['viewer', 'like', 'rate', '30d'])
    """
    return [word.lower() for word in _SPLIT.findall(_CAMEL.sub("_", name).replace("_", " "))]


def hint(name: str, known: dict[str, float]) -> float:
    """How strongly a name hints at a role; 0 if it does not."""
    found = words(name)
    return max((known.get(word, 0.0) for word in found), default=0.0) + (0.5 if ID.intersection(found) else 0.0)


def has(name: str, known: frozenset[str]) -> bool:
    """Whether a name has one of the words."""
    return not known.isdisjoint(words(name))


def speaks_of_outcome(name: str) -> bool:
    """Whether a name is that of an outcome, and not of a statistic of earlier ones.

    Example:
        >>> [speaks_of_outcome(name) for name in ("click", "watch_ms", "user_click_rate", "item_click_7d", "clicks")]
        [True, True, False, False, False]
    """
    return (
        has(name, OUTCOME)
        and not has(name, STATISTIC | EXPLORATION)
        and not any(_WINDOW.fullmatch(word) for word in words(name))
    )
