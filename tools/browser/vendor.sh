#!/usr/bin/env bash
# Fetches axe-core, with which the tests examine the pages of the console, and writes it to assets/, gzip-compressed.
# For maintainers: needs npm, node and gzip. The result is committed, so the tests need only Go and Chromium.
#
#   vendor.sh            write assets/
#   vendor.sh --check    fail if assets/ differs from what this script would write
#
# To upgrade: set the version, copy the integrity from `npm view axe-core@VERSION dist.integrity`, run this script, put
# the new sum that it prints into accessible_test.go, and run the tests.
set -euo pipefail

axe=axe-core@4.14.1
axe_integrity=sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==

. "$(dirname "$0")/../npm-assets.sh"

fetch "$axe" "$axe_integrity" axe
cp "$work/axe/package/axe.min.js" "$out/axe.js"
cp "$work/axe/package/LICENSE" "$out/axe.LICENSE.txt"
cp "$work/axe/package/LICENSE-3RD-PARTY.txt" "$out/axe.LICENSE-3RD-PARTY.txt"

finish
