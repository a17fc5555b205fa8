# The image of web-backend: the program, CA certificates, two folders, and nothing else.
#
#   docker build -t web-backend --build-arg VERSION=1.0.0 --build-arg COMMIT="$(git rev-parse HEAD)" .
#   docker run --rm -p 80:80 -v web-backend-data:/data web-backend
#
# docs/install.md says how to run it. The program is static and contains time zones, default characters and
# pages, so the last stage starts from scratch: it has no shell and no package that could need an update.

# By digest, so that nobody can put another image in its place. With a new version of Go take the digest that
# `docker buildx imagetools inspect golang:VERSION-bookworm` prints: that of the index of all platforms.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm@sha256:dc9ad6c05acc7a88e5b71bde60a5fe3bd4b9f0db209011711b464107438a8107 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
ARG TARGETVARIANT
ARG VERSION=development
ARG COMMIT=unknown
RUN tools/packages/rootfs.sh /out "$VERSION" "$COMMIT"

FROM scratch
ARG VERSION=development
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="web-backend" \
      org.opencontainers.image.description="Users, characters and provider keys of a character stack" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
# 65532 is the "nonroot" of other minimal images. Numeric, so that Kubernetes can see that it is not root.
COPY --from=build /out/program/ /
COPY --from=build --chown=65532:65532 /out/folders/ /
USER 65532:65532
WORKDIR /
# As in the image of the Python original, the server listens on port 80. MONGODB_HOST and the other variables of that image
# choose MongoDB; without them everything is in /data.
ENV WEB_BACKEND_HOST=0.0.0.0
ENV WEB_BACKEND_PORT=80
ENV WEB_BACKEND_DATA_DIR=/data
ENV WEB_BACKEND_LOG_PATH=/logs/server.log
ENV WEB_BACKEND_BACKUP_DIR=/data/backups
VOLUME ["/data", "/logs"]
EXPOSE 80
STOPSIGNAL SIGTERM
# The start may wait 30 s for MongoDB (mongodb_startup_timeout).
HEALTHCHECK --interval=30s --timeout=5s --start-period=40s --retries=3 CMD ["/web-backend", "healthcheck"]
ENTRYPOINT ["/web-backend"]
CMD ["serve"]
