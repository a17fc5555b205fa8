#!/bin/sh
# Makes the file system of the container image: rootfs.sh FOLDER VERSION COMMIT. Root owns FOLDER/program, so
# that the server cannot change it; the server owns FOLDER/folders. The Dockerfile runs this script in its build stage.
# It also runs on any machine with Go and CA certificates, if the image of that stage cannot be pulled.
set -eu
cd "$(dirname "$0")/../.."
out=$1 version=$2 commit=$3

mkdir -p "$out/program/etc/ssl/certs" "$out/program/tmp" "$out/folders/data" "$out/folders/logs"
chmod 0700 "$out/folders/data" "$out/folders/logs" # Docker gives a new named volume the same mode and owner
chmod 1777 "$out/program/tmp"
cp /etc/ssl/certs/ca-certificates.crt "$out/program/etc/ssl/certs/"

# BuildKit sets TARGETARCH and TARGETVARIANT ("v7"). Without them, this is the platform of the machine.
export CGO_ENABLED=0 GOOS="${TARGETOS:-linux}" GOARCH="${TARGETARCH:-$(go env GOARCH)}"
if [ "$GOARCH" = arm ]; then
  GOARM=${TARGETVARIANT:-v7}
  export GOARM="${GOARM#v}"
fi
tools/packages/build.sh "$out/program/web-backend" "$version" "$commit"
