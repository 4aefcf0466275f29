"""What does gunicorn serve?"""

from service.bootstrap import build
from service.settings import settings_from_process
from service.telemetry.logs import configure_logs
from service.web.app import create_app

settings = settings_from_process()
configure_logs(settings.log_format, settings.log_level)
app = create_app(build(settings))
