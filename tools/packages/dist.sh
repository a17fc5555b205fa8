#!/usr/bin/env bash
# Builds every binary of a release without GoReleaser: dist.sh FOLDER. It writes FOLDER/web-backend_OS_ARCH[.exe] and
# checksums.txt. The same commit gives the same checksums in any clone.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"
out=$(cd "$1" && pwd)
commit=$(git rev-parse HEAD)
version=$(git describe --tags --always --dirty)
version=${version#v}

for platform in linux/amd64 linux/arm64 linux/arm darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
  os=${platform%/*} arch=${platform#*/} name=${platform/\//_} suffix=
  [ "$arch" = arm ] && name=${os}_armv7
  [ "$os" = windows ] && suffix=.exe
  echo "-- $name"
  GOOS=$os GOARCH=$arch GOARM=7 tools/packages/build.sh "$out/web-backend_$name$suffix" "$version" "$commit"
done
cd "$out" && sha256sum web-backend_* | tee checksums.txt
