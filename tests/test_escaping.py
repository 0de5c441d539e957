"""What comes from outside is harmless on a terminal and in a spreadsheet, and can be had back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morered.escaping import cell, printable, printable_lines, text_of


@given(st.text(st.characters()))  # surrogates included: names of files may hold any bytes
def test_nothing_that_a_terminal_obeys_is_left(text):
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_escapes_are_spelt_out():
    assert printable("a\x1b]0;title\x07b\nc\r\u202ed\u2028é\udcff") == r"a\x1b]0;title\x07b\nc\r\u202ed\u2028é\udcff"
    assert printable_lines("3\nname=\x1b[2Jx\tÅ\n") == "3\nname=\\x1b[2Jx\tÅ\n"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'])
def test_a_spreadsheet_computes_no_text(text):
    assert cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "qm7/0123", "-1", "+1.5e-3", "water", "a=b", "'quoted'", "–"])
def test_numbers_and_plain_text_stay_as_they_are(text):
    assert cell(text) == text


@given(st.text("'=+-@\t\ra1. ", max_size=6))
def test_every_text_can_be_had_back(text):
    assert text_of(cell(text)) == text
    assert not cell(text).startswith(("=", "@", "\t", "\r"))
