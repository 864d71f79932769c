"""Names and comments that any C compiler takes, made from names that any model may have."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Of C and, because the interface serves it too, of C++; with the macros of <stdbool.h> and <iso646.h>.
_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const constexpr continue
    decltype default delete do double else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register restrict
    return short signed sizeof static struct switch template this throw true try typedef typeid typename union unsigned
    using virtual void volatile while xor xor_eq
"""


def identifier(name: str) -> str:
    """A C identifier close to `name`."""
    plain = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]", "_", name)).strip("_") or "tensor"
    if plain[0].isdigit():
        return f"t_{plain}"
    return f"{plain}_" if plain in _KEYWORDS.split() else plain


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The same names, with `_1`, `_2` and so on after those that came before, upper case counting as lower."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 0
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.lower())
        result.append(candidate)
    return tuple(result)


def comment(text: str) -> str:
    """`text` inside `/* */`: plain ASCII, one line, and nothing that opens or closes a comment or joins lines."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    plain = plain.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "? ?")
    return f"/* {plain} */"
