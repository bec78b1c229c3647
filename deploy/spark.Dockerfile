# The platform's image with Java and PySpark: for whatever runs steps, and for Spark's master and workers
# (docs/spark.md). Built from the other one, which comes first:
#
#   docker build -t marketing-platform:local .
#   docker build -t marketing-platform:spark -f deploy/spark.Dockerfile .
ARG IMAGE=marketing-platform:local
FROM ${IMAGE}
USER root
# Spark's scripts ask `ps` what runs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/*
COPY requirements-spark.lock ./
RUN pip install --no-cache-dir --no-deps -r requirements-spark.lock
ENV MARKETING_COMPUTE=spark
USER platform
