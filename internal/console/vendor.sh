#!/usr/bin/env bash
# Fetches Pico CSS and htmx and writes them to assets/, gzip-compressed.
# For maintainers: needs npm, node and gzip. The result is committed, so a build needs only Go.
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

. "$(dirname "$0")/../../tools/npm-assets.sh"

fetch "$pico" "$pico_integrity" pico
fetch "$htmx" "$htmx_integrity" htmx
cp "$work/pico/package/css/pico.min.css" "$out/pico.css"
cp "$work/pico/package/LICENSE.md" "$out/pico.LICENSE.txt"
cp "$work/htmx/package/dist/htmx.min.js" "$out/htmx.js"
cp "$work/htmx/package/LICENSE" "$out/htmx.LICENSE.txt"

finish
