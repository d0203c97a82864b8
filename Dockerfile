# The image of the agent. Everything that goes into it is pinned: the two images by digest, Node and
# the packages by the integrity hashes of the lock files.
#
#   docker build -t tailship \
#     --build-arg BUILD_IMAGE=docker.io/library/node:26-bookworm-slim@sha256:… \
#     --build-arg RUN_IMAGE=gcr.io/distroless/cc-debian12@sha256:… .
#
# There are no defaults, because a tag is another image tomorrow. BUILD_IMAGE needs npm, a Node that
# npm runs on, and libatomic, the one file of it that gets into the image. RUN_IMAGE needs glibc and
# libstdc++ and nothing else: no shell, no package manager and no CA bundle (Node brings its own) is
# used, in the build neither. Both of one Debian release. The result is made for the machine that
# builds it, x64 or arm64.

ARG BUILD_IMAGE
ARG RUN_IMAGE

FROM ${BUILD_IMAGE} AS build
WORKDIR /opt/tailship
COPY deploy/image/package.json deploy/image/package-lock.json ./
# The package `node` of the tests fetches its binary when it is installed, past the lock file; these
# packages are the binary.
RUN npm ci --ignore-scripts --no-audit --no-fund \
  && mkdir bin \
  && cp node_modules/node-linux-*/bin/node bin/node \
  && rm -rf node_modules package.json package-lock.json
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/.package-lock.json \
  && mkdir -p /empty/cache/tailship /empty/lib/tailship /empty/usr-lib \
  && cp -L /usr/lib/*-linux-gnu/libatomic.so.1 /empty/usr-lib/
COPY LICENSE ./
COPY src src

FROM ${RUN_IMAGE}
COPY --from=build /opt/tailship /opt/tailship
# Node 26 is linked with it, and images without a compiler's runtime lack it.
COPY --from=build /empty/usr-lib /usr/lib
# The user that warms the cache must be able to write it; afterwards it is only read.
COPY --from=build --chown=65532:65532 /empty/cache /var/cache
COPY --from=build --chown=65532:65532 /empty/lib /var/lib
# The user by default is nobody in particular, which is all that demo, emulator, check and a sidecar
# need. The kubelet's files are root's with mode 0640. A capability that is added to a user other
# than root stays in the bounding set and has no effect, so the DaemonSet runs as root with every
# capability dropped but DAC_READ_SEARCH: it may read all files and write only what root owns.
USER 65532:65532
# PORTABLE lifts path and user from the cache's key: written here by one, read there by the other.
ENV NODE_COMPILE_CACHE=/var/cache/tailship NODE_COMPILE_CACHE_PORTABLE=1 NODE_ENV=production
# The demo loads everything that the agent and its workers load, against a Cloud Logging of its own.
# Without a warm cache each thread strips types: 15 to 20 MB more, for as long as it lives.
RUN ["/opt/tailship/bin/node", "--max-semi-space-size=1", "--max-old-space-size-percentage=40", "/opt/tailship/src/main.ts", "demo", "--seconds", "5"]
WORKDIR /var/lib/tailship
# Node sizes its heap by the cgroup's memory limit only from 1 GiB on (measured: 262 MB of heap in
# 96 MiB), and an agent that is killed instead of collecting garbage starts again and again.
ENTRYPOINT ["/opt/tailship/bin/node", "--max-semi-space-size=1", "--max-old-space-size-percentage=40", "/opt/tailship/src/main.ts"]
CMD ["run"]
