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
# used, in the build neither. Both of one Debian release.
#
# For another machine than the one that builds (x64, arm64): --platform linux/arm64 --target cold. No
# program of that machine runs then, so it needs no emulation; what `cold` lacks is said below.

ARG BUILD_IMAGE
ARG RUN_IMAGE

FROM --platform=${BUILDPLATFORM} ${BUILD_IMAGE} AS build
ARG TARGETARCH
WORKDIR /opt/tailship
COPY package.json package-lock.json .npmrc ./
COPY deploy/release/tree.sh /usr/local/bin/
RUN sh /usr/local/bin/tree.sh . "${TARGETARCH}" && mkdir -p /empty/cache/tailship /empty/lib/tailship
COPY LICENSE ./
COPY deploy/base deploy/base
COPY deploy/components deploy/components
COPY src src

# The machine that the image is for: only a file is taken from it.
FROM ${BUILD_IMAGE} AS target

# The whole agent. On its first start on a node it strips types, 15 to 20 MB more in each thread for as
# long as it lives; give it NODE_COMPILE_CACHE=/var/lib/tailship/compile-cache, and a restart does not.
FROM ${RUN_IMAGE} AS cold
COPY --from=build /opt/tailship /opt/tailship
# Node 26 is linked with it, and images without a compiler's runtime lack it.
COPY --from=target /usr/lib/*-linux-gnu/libatomic.so.1* /usr/lib/
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
WORKDIR /var/lib/tailship
# Node sizes its heap by the cgroup's memory limit only from 1 GiB on (measured: 262 MB of heap in
# 96 MiB), and an agent that is killed instead of collecting garbage starts again and again.
ENTRYPOINT ["/opt/tailship/bin/node", "--max-semi-space-size=1", "--max-old-space-size-percentage=40", "/opt/tailship/src/main.ts"]
CMD ["run"]

FROM cold
# The demo loads everything that the agent and its workers load, against a Cloud Logging of its own.
RUN ["/opt/tailship/bin/node", "--max-semi-space-size=1", "--max-old-space-size-percentage=40", "/opt/tailship/src/main.ts", "demo", "--seconds", "5"]
