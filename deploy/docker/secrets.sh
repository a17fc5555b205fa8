#!/bin/sh
# Creates the missing secrets of compose.yaml in deploy/docker/secrets. Compose mounts each file into the containers
# with its mode, so the containers' users can read the files. The mode of the folder keeps out other users of the
# host.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
chmod 0700 secrets
for name in mongodb_password mongodb_admin_password operator_token; do
  [ -e "secrets/$name" ] && continue
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"secrets/$name"
  chmod 0444 "secrets/$name"
  echo "made deploy/docker/secrets/$name"
done
