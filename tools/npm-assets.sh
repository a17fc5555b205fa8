# Functions for the scripts named vendor.sh, which copy files of pinned npm packages to their folder assets/. A script
# sources this file, calls fetch for each package, puts the files into $out, and calls finish.

case ${1-} in
'' | --check) check=${1-} ;;
*) echo "usage: vendor.sh [--check]" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$work/out
mkdir "$out"

# fetch PACKAGE INTEGRITY NAME unpacks a pinned package to $work/NAME/package.
fetch() {
  local archive
  mkdir -p "$work/$3"
  archive=$(cd "$work" && npm pack --silent --ignore-scripts "$1" | tail -n 1) || archive=
  [ -n "$archive" ] || { echo "vendor.sh: npm could not fetch $1" >&2; exit 1; }
  node - "$work/$archive" "$2" <<'NODE' || { echo "vendor.sh: $1 is not the pinned package" >&2; exit 1; }
const [file, want] = process.argv.slice(2);
const hash = require("node:crypto").createHash("sha512").update(require("node:fs").readFileSync(file));
process.exit(`sha512-${hash.digest("base64")}` === want ? 0 : 1);
NODE
  tar -xzf "$work/$archive" -C "$work/$3"
}

# finish compresses the files in $out and writes them to assets/, or only compares them with --check.
finish() {
  if [ "$check" ]; then
    # Compare uncompressed files, because gzip implementations write different bytes.
    mkdir "$work/have"
    cp "$here"/assets/* "$work/have"
    gzip -d "$work"/have/*.gz
    diff -rq "$work/have" "$out" || { echo "vendor.sh: assets/ differs; run $0" >&2; exit 1; }
    echo "$here/assets is up to date"
  else
    shopt -s nullglob # there may be no stylesheet
    (cd "$out" && sha256sum -- *.css *.js)
    gzip -9n "$out"/*.js "$out"/*.css
    rm -rf "$here/assets"
    mkdir "$here/assets"
    cp "$out"/* "$here/assets"
    chmod 644 "$here"/assets/*
    ls -l "$here/assets"
  fi
}
