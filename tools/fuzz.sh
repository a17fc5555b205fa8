#!/usr/bin/env bash
# Runs every fuzz target of the product for the given time (default 10s).
set -euo pipefail
cd "$(dirname "$0")/.."

# `go test -list` prints the names of a package's targets, then a line with the package.
list=$(go test -list '^Fuzz' ./...)
targets=$(awk '/^Fuzz/ { names[++n] = $1 }
  $1 == "ok" { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }' <<<"$list")
if [ -z "$targets" ]; then
  echo 'there is no fuzz target'
  exit 0
fi
while read -r package name; do
  echo "-- $package $name"
  # By default, go test spends most of the time on making new inputs smaller.
  go test -run '^$' -fuzz "^$name\$" -fuzztime "${1:-10s}" -fuzzminimizetime 10x "$package" </dev/null
done <<<"$targets"
