# syntax=docker/dockerfile:1

# One image for the worker, beat, Flower, the console and the command line. Targets: `runtime` (the default, production) and
# `sandbox` (with the local stand-ins for Fortnox, Moment and SMTP). Every dependency is checked against its hash.

# Pinned by tag. In a registry of your own, pin the digest too: --build-arg PYTHON_IMAGE=python:3.12-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN python -m pip install --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --require-hashes -r requirements.lock
COPY . .
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/venv/bin/python install --no-deps --no-index /wheels/*.whl

FROM build AS build-sandbox
RUN python -m pip --python /opt/venv/bin/python install --require-hashes -r requirements-dev.lock

FROM ${PYTHON_IMAGE} AS base
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_FORMAT=json
# A new volume takes over the owner: Flower keeps what it saw there.
RUN install --directory --owner=10001 --group=10001 /data
WORKDIR /app
USER 10001:10001

FROM base AS sandbox
COPY --from=build-sandbox /opt/venv /opt/venv
EXPOSE 8701 8702 8703
CMD ["python", "-m", "sandbox", "--host", "0.0.0.0"]

FROM base AS runtime
COPY --from=build /opt/venv /opt/venv
CMD ["celery", "-A", "worker.app", "worker", "--loglevel=info"]
