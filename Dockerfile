ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
COPY requirements.txt /build/
RUN python -m venv --without-pip /opt/hopp \
    && pip --python /opt/hopp/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r /build/requirements.txt

FROM python:${PYTHON_VERSION}-slim
RUN groupadd --gid 10001 hopp \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hopp \
    && install --directory --owner=hopp --group=hopp /data
COPY --from=build /opt/hopp /opt/hopp
COPY . /app
RUN python -m compileall -q /app
# The code is nobody's to change; what Hopp writes, hopp.toml of the first start too, is in /data, where it works.
WORKDIR /data
ENV PATH=/opt/hopp/bin:$PATH \
    PYTHONPATH=/app \
    GUNICORN_CMD_ARGS=--config=/app/gunicorn.conf.py \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOPP_BIND=0.0.0.0:8000 \
    HOPP_DATABASE=sqlite:////data/hopp.sqlite
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
# Web and worker in one container, on SQLite in /data, with /data/hopp.toml, which the first start writes where there is none:
#   docker run --detach --name hopp --publish 127.0.0.1:8000:8000 --volume hopp:/data hopp
# compose.yaml runs them apart, on PostgreSQL. docs/operations.md says what each needs.
CMD ["python", "-m", "service", "serve"]
