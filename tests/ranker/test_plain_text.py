"""Text from data stays one piece of text."""

import pytest

from ranker.plain_text import one_line, sentence, visible, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", "two lines"),
        ("windows \r\n line", "windows line"),
        ("a\u2028b\x85c\vd\fe\tf", "a b c d e f"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("nul\x00", r"nul\x00"),
        ("\u202eevil", r"\u202eevil"),
        ("\udc80", r"\udc80"),
        ("Ünïcødé 💡 日本", "Ünïcødé 💡 日本"),
        ("[bold]$x$", "[bold]$x$"),
        ("", ""),
    ],
)
def test_a_value_is_one_line_without_control_characters(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert sentence(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://KEY:SECRET@bucket/m?region=a", "s3://KEY:…@bucket/m?region=a"),
        ("s3://KEY:a%2Fb%3D@bucket: not read", "s3://KEY:…@bucket: not read"),
        ("from s3://u:p@h/x to abfs://v:q@i/y", "from s3://u:…@h/x to abfs://v:…@i/y"),
        ("sftp://:token@host", "sftp://:…@host"),
        # No secrets.
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
        ("gs://anonymous@bucket", "gs://anonymous@bucket"),
        ("http://localhost:8080/a@b", "http://localhost:8080/a@b"),
        ("12:30 user@host", "12:30 user@host"),
        # A value of the data.
        ("https://a:b@c:1", "https://a:b@c:1"),
    ],
)
def test_secrets_of_uris_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == one_line(text) == sentence(text) == shown


def test_line_feeds_stay_where_they_are_wanted() -> None:
    assert visible("a\nb\x1b") == "a\nb\\x1b"


@pytest.mark.parametrize("text", ["x" * 70_000, "\x00" * 70_000, "\n" * 70_000, "x" * 201])
def test_a_long_value_ends_in_an_ellipsis(text: str) -> None:
    shown = one_line(text)
    assert len(shown) <= 200
    assert shown.endswith("…")


def test_a_value_of_just_the_length_stays() -> None:
    assert one_line("x" * 200) == "x" * 200
    assert one_line("abc", 3) == "abc"
    assert one_line("abcd", 3) == "ab…"


@pytest.mark.parametrize("fill", ["x" * 70_000, "x" * 2_000, "\x00" * 70_000])
def test_a_long_sentence_keeps_its_beginning_and_its_end(fill: str) -> None:
    shown = sentence(f"slice {fill} is beyond the limit")
    assert len(shown) <= 1_500
    assert shown.startswith("slice ")
    assert shown.endswith(" is beyond the limit")
    assert " … " in shown
