#!/bin/sh
# Makes the file system of the container image: rootfs.sh FOLDER VERSION COMMIT. FOLDER/program is root's, so that the
# server cannot change it; FOLDER/folders is the server's. The Dockerfile runs it in its build
# stage; it also runs on any machine with Go and CA certificates, for builders that cannot pull that stage's image.
set -eu
cd "$(dirname "$0")/../.."
out=$1 version=$2 commit=$3

mkdir -p "$out/program/etc/ssl/certs" "$out/program/tmp" "$out/folders/data" "$out/folders/logs"
chmod 0700 "$out/folders/data" "$out/folders/logs" # Docker gives a new named volume the same mode and owner
chmod 1777 "$out/program/tmp"
cp /etc/ssl/certs/ca-certificates.crt "$out/program/etc/ssl/certs/"

# TARGETARCH and TARGETVARIANT ("v7") are BuildKit's; elsewhere the machine's own.
export CGO_ENABLED=0 GOOS="${TARGETOS:-linux}" GOARCH="${TARGETARCH:-$(go env GOARCH)}"
if [ "$GOARCH" = arm ]; then
  GOARM=${TARGETVARIANT:-v7}
  export GOARM="${GOARM#v}"
fi
tools/packages/build.sh "$out/program/web-backend" "$version" "$commit"
