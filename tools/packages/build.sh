#!/bin/sh
# build.sh FILE VERSION COMMIT builds the program for GOOS and GOARCH with the flags of a release. The same commit,
# version and Go give the same bytes in any folder, because the file has no path, no state of the working tree and no
# build id.
# .goreleaser.yaml has the same flags; a test compares them.
set -eu
cd "$(dirname "$0")/../.."
CGO_ENABLED=0 exec go build -trimpath -buildvcs=false \
  -ldflags "-s -w -buildid= -X web-backend/internal/cli.version=$2 -X web-backend/internal/cli.commit=$3" \
  -o "$1" ./cmd/web-backend
