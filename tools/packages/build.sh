#!/bin/sh
# Builds the program as releases have it: build.sh FILE VERSION COMMIT, for GOOS and GOARCH. The same commit, version
# and Go give the same bytes in any folder: no path, no state of the working tree and no build id is in it.
# .goreleaser.yaml has the same flags; a test compares them.
set -eu
cd "$(dirname "$0")/../.."
CGO_ENABLED=0 exec go build -trimpath -buildvcs=false \
  -ldflags "-s -w -buildid= -X web-backend/internal/cli.version=$2 -X web-backend/internal/cli.commit=$3" \
  -o "$1" ./cmd/web-backend
