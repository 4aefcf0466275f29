"""Which errors may cross from one room into another?"""


class HoppError(Exception):
    """Something that Hopp names; its text says what happened, to what, and what to do next."""


class DataFileError(HoppError):
    """A file that the settings name (rules, gateways, a mapping) is wrong: the text names it, the place and the mend."""


class NotAuthenticError(HoppError):
    """The delivery does not prove that it comes from its ESP."""


class UnreadableError(HoppError):
    """A delivery's body is not what its ESP posts, so no event can be read from it."""


class BodyTooLargeError(HoppError):
    """A body is larger, or inflates to more, than the limit allows."""


class InboxUnavailableError(HoppError):
    """The inbox cannot keep a delivery durably right now."""


class SchemaOutdatedError(HoppError):
    """The database's tables are older or newer than this program: run `python -m service migrate`."""


class RemoteUnavailableError(HoppError):
    """Something that has to be fetched over the network could not be."""


class RuleFileError(HoppError):
    """A rule file is wrong: the text names the file, the rule, what is wrong and the mend."""
