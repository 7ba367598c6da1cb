"""Escaping of text from files, records and servers, one function for each output format; JSON needs none."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

BOLD, RESET = "\033[1m", "\033[0m"
"""Terminal sequences around whole lines, which `escape_lines` preserves."""
_ADDRESS = r":(?=//)|(?<=www)\.|(?<=[\w.+\-])@(?=[\w\-]*\.)"
"""Characters that GitHub needs to turn a web or e-mail address into a link."""
_MARKDOWN = re.compile(rf"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])|{_ADDRESS}", re.IGNORECASE)
_MARKDOWN_ESCAPES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@<!-- -->"}
"""Escapes that are not a backslash; a backslash before `@` does not keep GitHub from recognizing an e-mail address."""
_FORMULA = re.compile(r"'*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\uff1d\uff0b\uff0d\uff20]")
Value = TypeVar("Value")


def escape_text(text: str) -> str:
    r"""Escape every character that is not printable, so that the text stays on one line of a terminal.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Text in which control characters, line separators, characters that change the direction of writing and lone
        surrogates are replaced by Python escapes.

    Examples
    --------
    >>> print(escape_text("two\nlines \x1b[31mred \u202e"))
    two\nlines \x1b[31mred \u202e
    >>> escape_text("Grüße")
    'Grüße'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def escape_lines(text: str) -> str:
    """Escape the lines of a text with `escape_text`; line breaks and lines in bold are preserved."""
    return "\n".join(map(_escape_line, text.split("\n")))


def escape_message(text: str) -> str:
    r"""Escape a message; lines after the first are indented, so that none looks like another message.

    Examples
    --------
    >>> print(escape_message("no such file: a\nframelight: done"))
    no such file: a
      framelight: done
    """
    first, *lines = escape_lines(text.expandtabs()).split("\n")
    return "\n".join([first, *(line if line.startswith("  ") or not line else f"  {line}" for line in lines)])


def escape_markdown(text: str) -> str:
    r"""Escape text for Markdown and its table cells, so that it makes no HTML, links, emphasis or columns.

    References
    ----------
    GitHub Flavored Markdown 0.29, section 6.9: addresses become links without any markup.

    Examples
    --------
    >>> print(escape_markdown("https://example.org, www.example.org, me@example.org"))
    https\://example.org, www\.example.org, me@<!-- -->example.org
    >>> print(escape_markdown("[a](javascript:b) <img> tiny_resnet_"))
    \[a\](javascript:b) &lt;img&gt; tiny_resnet\_
    """
    return _MARKDOWN.sub(lambda match: _MARKDOWN_ESCAPES.get(match[0], f"\\{match[0]}"), escape_text(text))


def escape_csv(text: str) -> str:
    """Escape the text of a CSV cell so that spreadsheets do not evaluate it; numbers are unchanged.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Printable text. An apostrophe is put in front if a spreadsheet would take the text for a formula, also if the
        sign of the formula is full-width. A formula that already has apostrophes in front gets one more.

    See Also
    --------
    unescape_csv : Remove the apostrophe.

    Examples
    --------
    >>> escape_csv("=1+1"), escape_csv("-0.5"), escape_csv("a=b")
    ("'=1+1", '-0.5', 'a=b')
    """
    escaped = escape_text(text)
    return f"'{escaped}" if _FORMULA.match(escaped) and not _is_number(text) else escaped


def unescape_csv(text: str) -> str:
    """Remove the apostrophe that `escape_csv` prepended."""
    return text[1:] if _ESCAPED_FORMULA.match(text) else text


def map_text(value: Value, change: Callable[[str], str]) -> Value:
    """Apply a function to all texts in nested dataclasses, mappings, lists and tuples, keys included."""
    return _map(value, change)


def _map(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: _map(getattr(value, name), change) for name in names})
    if isinstance(value, Mapping):
        return {_map(key, change): _map(part, change) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_map(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _escape_line(line: str) -> str:
    if line.startswith(BOLD) and line.endswith(RESET):
        return f"{BOLD}{escape_text(line[len(BOLD) : -len(RESET)])}{RESET}"
    return escape_text(line)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
