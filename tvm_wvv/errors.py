"""The one error that a user can mend: `main` prints it as one line and exits with status 2."""

from __future__ import annotations


class WvvError(Exception):
    """Something outside the program is wrong; the message says where, what, how far off and what to do."""
