# One image for API, Dagster and the command line; docker-compose.yml and deploy/kubernetes/ say what runs in it.

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/marketing-platform
RUN python -m venv /opt/venv
# The lock file holds everything: it is installed without asking what packages depend on.
COPY requirements-servers.lock ./
RUN /opt/venv/bin/pip install --no-deps -r requirements-servers.lock
COPY . .
RUN /opt/venv/bin/pip install --no-deps --editable . \
    && /opt/venv/bin/python -m compileall -q dashboard marketing_platform serving

FROM python:3.11.13-slim-bookworm
# Arabic and Hebrew on vision boards are put in order by it.
RUN apt-get update && apt-get install --yes --no-install-recommends libfribidi0 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp platform \
    && install -d -o platform -g platform /var/lib/marketing-platform \
    && install -d /opt/dagster \
    && ln -s /opt/marketing-platform/dagster.servers.yaml /opt/dagster/dagster.yaml
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/marketing-platform /opt/marketing-platform
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    GX_ANALYTICS_ENABLED=false \
    DAGSTER_HOME=/opt/dagster \
    MARKETING_PROFILE=servers \
    MARKETING_DATA_DIR=/var/lib/marketing-platform
WORKDIR /opt/marketing-platform
VOLUME /var/lib/marketing-platform
USER platform
CMD ["marketing-platform", "--help"]
