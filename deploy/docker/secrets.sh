#!/bin/sh
# Makes the secrets of compose.yaml, those that are not there yet, in deploy/docker/secrets. Compose mounts each into
# the containers as it is, so a file is readable by the containers' users; the folder keeps the host's others out.
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
