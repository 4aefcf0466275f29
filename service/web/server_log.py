"""How do gunicorn's own lines get into our log? Through the root logger, in the form and to the place of all others."""

from gunicorn.config import Config  # type: ignore[import-untyped]  # gunicorn ships no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # the same


class ServerLog(Logger):  # type: ignore[misc]  # the same
    """gunicorn's logger without handlers of its own."""

    def setup(self, cfg: Config) -> None:
        """Undo what gunicorn sets up for itself."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
