#!/usr/bin/env bash
# Installs SecantusDB, the MongoDB engine of the tests, in its own virtual environment in the cache
# folder, and prints the path of its Python. If it is installed already, nothing is changed. This
# script may run several times at once; only one result is kept.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Each list of packages and each version of Python has its own environment.
hash=$(python3 -c 'import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read() + sys.version.encode()).hexdigest()[:12])' "$here/requirements.txt")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/web-backend
version=$(sed -n 's/^SecantusDB==\([^ ]*\).*/\1/p' "$here/requirements.txt")
target=$cache/secantusdb-$version-$hash

if [ ! -d "$target" ]; then
  mkdir -p "$cache"
  if command -v flock >/dev/null; then
    exec 9>"$target.lock"
    flock 9
  fi
fi
if [ ! -d "$target" ]; then
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  python3 -m venv "$new" >&2
  "$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    --only-binary :all: --require-hashes -r "$here/requirements.txt" >&2
  # A rename is atomic. It fails only if another run was faster.
  python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$new" "$target" 2>/dev/null || [ -d "$target" ]
fi
echo "$target/bin/python"
