#!/usr/bin/env bash
# Compares the embedded bundles of the documentation pages and the console, and that of the tests in the browser, with
# the packages they were taken from.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -e internal/apidocs/vendor.sh ]; then
  echo 'SKIPPED: docs-check, because there is no internal/apidocs/vendor.sh'
elif ! command -v npm >/dev/null; then
  echo 'SKIPPED: docs-check, because npm is not installed'
else
  bash internal/apidocs/vendor.sh --check
  bash internal/console/vendor.sh --check
  bash tools/browser/vendor.sh --check
fi
