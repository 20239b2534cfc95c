# The service of compact models as a container: docker build -t hanpuri .
#
# Runs as a user without a name, on a file system that may be read-only: feedback goes to /data, all else to /tmp.
# Not pinned by digest, for a digest grows old with every security update; to hold one, build with
#   --build-arg PYTHON=3.13-slim-trixie@sha256:…
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
WORKDIR /source
# Without pip of its own: the environment is copied as it is, and nothing is installed into it later.
RUN python -m venv --without-pip /opt/hanpuri
COPY pyproject.toml README.md LICENSE ./
COPY packaging/constraints.txt packaging/
COPY hanpuri hanpuri
# serve,postgres keeps feedback in PostgreSQL too, which takes 12 MB more.
ARG EXTRAS=serve
RUN pip --python /opt/hanpuri/bin/python install --no-cache-dir --no-compile \
        --constraint packaging/constraints.txt ".[${EXTRAS}]"
# What a service never imports: tools, tests, stubs, and the second copy of the runtime, which is there for programs in C.
# Then what debuggers read of libraries that were built with it; what stands in *.libs was patched, and strip would break it.
WORKDIR /opt/hanpuri/lib
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends binutils \
    && rm -rf python3.*/site-packages/onnxruntime/tools python3.*/site-packages/onnxruntime/transformers \
        python3.*/site-packages/onnxruntime/quantization python3.*/site-packages/onnxruntime/datasets \
        python3.*/site-packages/onnxruntime/capi/libonnxruntime.so* python3.*/site-packages/numpy/f2py \
        python3.*/site-packages/numpy/_core/_simd*.so python3.*/site-packages/numpy/_core/_*tests*.so \
        python3.*/site-packages/sqlalchemy/testing python3.*/site-packages/alembic/testing \
    && find . -type d -name tests -prune -exec rm -rf {} + \
    && find . -type f \( -name "*.pyi" -o -name "*.pxd" -o -name "*.pyx" -o -name "*.a" -o -name "*.h" \) -delete \
    && find . -name "*.so" -not -path "*.libs/*" -not -path "*/numpy/*" -exec strip --strip-unneeded {} +

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="hanpuri" \
      org.opencontainers.image.description="Restores obfuscated Korean: a service and its web page" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/hanpuri/bin:$PATH \
    HOME=/tmp
COPY --from=build /opt/hanpuri /opt/hanpuri
# Started once, for two reasons: an image that cannot start is never made, and byte code is written for what a start needs,
# which on a read-only file system would be compiled anew each time.
RUN timeout --preserve-status 15 hanpuri serve --host 127.0.0.1 --port 0 --database sqlite:////tmp/started.db \
    && rm -rf /tmp/* \
    && /usr/local/bin/python -m pip uninstall -q -y pip --root-user-action=ignore \
    && install -d -o 10001 -g 10001 /data
# onnxruntime reports to its makers unless it is told not to; hanpuri tells it too. The place of the key file is no secret.
# hadolint ignore=DL3064
ENV PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HANPURI_HOST=0.0.0.0 \
    HANPURI_PORT=8600 \
    HANPURI_API_KEY_FILE=/run/secrets/keys.json \
    HANPURI_DATABASE=sqlite:////data/feedback.db
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8600
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['HANPURI_PORT']), timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
# Other commands work too: docker run hanpuri keys add web
ENTRYPOINT ["hanpuri"]
CMD ["serve"]
