#!/usr/bin/env bash
# Fetches Pico CSS and htmx and writes them to assets/, gzip-compressed.
# For maintainers: needs npm and gzip. The result is committed, so a build needs only Go.
#
#   vendor.sh            write assets/
#   vendor.sh --check    fail if assets/ differs from what this script would write
#
# To upgrade: set the version, copy the integrity from `npm view NAME@VERSION dist.integrity`, run this script, put the
# new sums that it prints into assets_test.go, and run the tests, then those of tools/browser.
set -euo pipefail

pico=@picocss/pico@2.1.1
pico_integrity=sha512-kIDugA7Ps4U+2BHxiNHmvgPIQDWPDU4IeU6TNRdvXQM1uZX+FibqDQT2xUOnnO2yq/LUHcwnGlu1hvf4KfXnMg==
htmx=htmx.org@2.0.11
htmx_integrity=sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==

case ${1-} in
'' | --check) ;;
*) echo "usage: vendor.sh [--check]" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch PACKAGE INTEGRITY NAME unpacks a pinned package to $work/NAME/package.
fetch() {
  local archive
  mkdir -p "$work/$3"
  archive=$(cd "$work" && npm pack --silent --ignore-scripts "$1" | tail -n 1) || archive=
  [ -n "$archive" ] || { echo "vendor.sh: npm could not fetch $1" >&2; exit 1; }
  [ "sha512-$(openssl dgst -sha512 -binary "$work/$archive" | base64 -w 0)" = "$2" ] ||
    { echo "vendor.sh: $1 is not the pinned package" >&2; exit 1; }
  tar -xzf "$work/$archive" -C "$work/$3"
}

fetch "$pico" "$pico_integrity" pico
fetch "$htmx" "$htmx_integrity" htmx

out=$work/out
mkdir "$out"
cp "$work/pico/package/css/pico.min.css" "$out/pico.css"
cp "$work/pico/package/LICENSE.md" "$out/pico.LICENSE.txt"
cp "$work/htmx/package/dist/htmx.min.js" "$out/htmx.js"
cp "$work/htmx/package/LICENSE" "$out/htmx.LICENSE.txt"

if [ "${1-}" = --check ]; then
  # Compare uncompressed files, because gzip implementations write different bytes.
  mkdir "$work/have"
  cp "$here"/assets/* "$work/have"
  gzip -d "$work"/have/*.gz
  diff -rq "$work/have" "$out" || { echo "vendor.sh: assets/ differs; run internal/console/vendor.sh" >&2; exit 1; }
  echo "assets/ is up to date: $pico, $htmx"
else
  (cd "$out" && sha256sum -- *.css *.js)
  gzip -9n "$out"/*.js "$out"/*.css
  rm -rf "$here/assets"
  mkdir "$here/assets"
  cp "$out"/* "$here/assets"
  chmod 644 "$here"/assets/*
  ls -l "$here/assets"
fi
