# The image of the agent. Node is the one of package-lock.json, in the build and in the image.
#
#   docker build -t tailship .
#   docker build -t tailship --build-arg RUN_IMAGE=gcr.io/distroless/cc-debian12@sha256:… .
#
# For a release pin both images by digest. RUN_IMAGE needs glibc and libstdc++ and nothing else: no
# shell, no package manager and no CA bundle (Node brings its own) is used, in the build neither.

ARG BUILD_IMAGE=debian:bookworm-slim
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
# Debian's own Node only runs npm; npm then installs the Node of the lock file.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates nodejs npm \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/tailship
COPY package.json package-lock.json ./
# Node itself is a development dependency: it is taken out before those are removed.
RUN npm ci --no-audit --no-fund \
  && mkdir bin \
  && cp node_modules/node/bin/node bin/node \
  && rm -rf node_modules \
  && npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && mkdir -p /empty/cache/tailship /empty/lib/tailship
COPY LICENSE ./
COPY src src

FROM ${RUN_IMAGE}
COPY --from=build /opt/tailship /opt/tailship
# The user that warms the cache must be able to write it; afterwards it is only read.
COPY --from=build --chown=65532:65532 /empty/cache /var/cache
COPY --from=build --chown=65532:65532 /empty/lib /var/lib
# The user by default is nobody in particular, which is all that demo, emulator and check need. The
# kubelet's files are root's with mode 0640. A capability that is added to a user other than root
# stays in the bounding set and has no effect, so the DaemonSet runs as root with every capability
# dropped but DAC_READ_SEARCH: it may read all files and write only what root owns.
USER 65532:65532
# PORTABLE lifts path and user from the cache's key: written here by one, read there by the other.
ENV NODE_COMPILE_CACHE=/var/cache/tailship NODE_COMPILE_CACHE_PORTABLE=1 NODE_ENV=production
# The demo loads everything that the agent and its workers load, against a Cloud Logging of its own.
# Without a warm cache each thread strips types: 15 to 20 MB more, for as long as it lives.
RUN ["/opt/tailship/bin/node", "/opt/tailship/src/main.ts", "demo", "--seconds", "5"]
WORKDIR /var/lib/tailship
ENTRYPOINT ["/opt/tailship/bin/node", "--max-semi-space-size=1", "/opt/tailship/src/main.ts"]
CMD ["run"]
