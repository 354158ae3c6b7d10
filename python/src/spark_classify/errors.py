"""The error whose message a user reads."""


class ClassifyError(Exception):
    """Something that the user can put right; the message names the thing, the reason and the way out."""
