# The proxy as a container image. What runs: `dist`, production packages and package.json, as an unprivileged user.
#
#   docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD) -t logtrail-bff .
#   docker run --read-only --cap-drop ALL -v logtrail-data:/data -p 127.0.0.1:8790:8790 --env-file .env logtrail-bff
#   docker build --target demo -t logtrail-bff-demo .        the demo of docker/compose.demo.yml
#
# The base is the newest LTS of Node.js by its whole version. A tag can still be moved; a digest cannot. To pin it, look it
# up with `docker buildx imagetools inspect node:26.10.0-bookworm-slim` and write `node:26.10.0-bookworm-slim@sha256:…`;
# Dependabot and Renovate keep both up to date.
FROM node:26.10.0-bookworm-slim AS base
WORKDIR /app

FROM base AS build
COPY package.json package-lock.json .npmrc ./
# No package's scripts run: esbuild and classic-level bring ready binaries, and nothing else needs one.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
RUN npm run build

FROM base AS packages
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY docker/prune-packages.ts docker/
RUN node docker/prune-packages.ts node_modules

# Everything that `npm run demo` starts: the stand-in, the app with its login and the proxy. For looking at, not to deploy.
FROM build AS demo
COPY docker/demo docker/demo
COPY test/helper/logtrail test/helper/logtrail
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--import", "tsx", "docker/demo/demo.ts"]

FROM base AS sidecar
# Nothing installs packages here any more, and what is not there has no advisories.
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /opt/yarn* \
    /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
  && install -d -o 1000 -g 1000 -m 0750 /data /data/queue
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./

# HOST and ADMIN_HOST: in a container loopback is nobody else's. Publish 8790 to the reverse proxy alone, 9790 to nobody.
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    ADMIN_HOST=0.0.0.0 \
    QUEUE_PATH=/data/queue
EXPOSE 8790 9790
VOLUME /data
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 1000:1000
# Node.js is PID 1: the program installs its handlers for SIGTERM and SIGINT itself, and starts no other processes.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "/app/dist/main.js", "health"]
# Node.js 20 has this by itself. What 26 has keeps twice as many of the youngest objects: 30 MB, for nothing measurable.
ENTRYPOINT ["node", "--max-semi-space-size=8", "/app/dist/main.js"]

ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="logtrail-bff" \
      org.opencontainers.image.description="Browser apps log to Logtrail without a key: a sidecar that knows the user, holds the key, limits, and forwards only ingestion" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/node:26.10.0-bookworm-slim"
