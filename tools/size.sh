#!/usr/bin/env bash
# Fails if the stripped binary for linux/amd64 has more than 35,000,000 bytes. If you raise the limit, give the reason in
# docs/design.md.
set -euo pipefail
cd "$(dirname "$0")/.."
most=35000000
file=$(mktemp)
trap 'rm -f "$file"' EXIT
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags '-s -w' -o "$file" ./cmd/web-backend
size=$(wc -c <"$file")
echo "the stripped binary has $size bytes; the bound is $most"
[ "$size" -le "$most" ]
