#!/usr/bin/env bash
# Makes the Python environment of a node. EMR runs it as a bootstrap action on every node, before
# Spark starts; the local EMR and `make` run this same file.
#
#   install_node.sh --target DIR --source URI [--with-tensorflow]
#
# --target  the virtual environment to make, e.g. /opt/orchard/venv
# --source  the folder (file:///… or s3://…) with requirements.txt and, where the nodes have no way
#           to PyPI, wheelhouse/: `pip download --require-hashes -r requirements.txt -d wheelhouse`
# --with-tensorflow  also what --runtime=tensorflow and exporting a model need (2 GB)
#
# Every wheel is checked against its hash. Running it again with the same requirements does nothing.
# PYTHON names the interpreter; without it, python3.11 (EMR's) or else python3.
set -euo pipefail

fail() { echo "install_node.sh: $1" >&2; exit 2; }

target="" source="" requirements=requirements.txt
while [ $# -gt 0 ]; do
  case "$1" in
    --target) target="${2:?--target takes a folder}"; shift 2 ;;
    --source) source="${2:?--source takes a URI}"; shift 2 ;;
    --with-tensorflow) requirements=requirements-tensorflow.txt; shift ;;
    *) fail "unknown argument $1: the arguments are --target DIR --source URI [--with-tensorflow]" ;;
  esac
done
[ -n "$target" ] && [ -n "$source" ] || fail "--target and --source are both needed"

scratch=""
case "$source" in
  file:///*) folder="${source#file://}" ;;
  s3://*)
    scratch="$(mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    folder="$scratch"
    for file in requirements.txt "$requirements"; do
      aws s3 cp --only-show-errors "${source%/}/$file" "$folder/$file"
    done
    aws s3 sync --only-show-errors "${source%/}/wheelhouse" "$folder/wheelhouse"
    ;;
  *) fail "--source $source: it takes file:///folder or s3://bucket/folder" ;;
esac
[ -f "$folder/$requirements" ] || fail "--source $source: it has no $requirements; make one with \`make package\`"

# The stamp is written last: an environment without its line is unfinished, or of other pins.
stamp="$target/.orchard-node"
pins() { cksum < "$folder/$1"; }
if [ -f "$stamp" ] && grep -qxF "$(pins "$requirements")" "$stamp"; then
  echo "install_node.sh: $target is up to date"
  exit 0
fi

python="${PYTHON:-$(command -v python3.11 || command -v python3)}" || fail "no python3 on this machine: install Python 3.11""$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
  fail "$python is $("$python" --version): it must be Python 3.11, 3.12 or 3.13; name one with PYTHON"

if ! mkdir -p "$target" 2>/dev/null || ! [ -w "$target" ]; then
  sudo mkdir -p "$target"
  sudo chown "$(id -u):$(id -g)" "$target"
fi
"$python" -m venv --clear "$target"

set -- --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r "$folder/$requirements"
# Not [ -d … ]: `aws s3 sync` of a prefix that is not there makes an empty folder.
[ -n "$(ls -A "$folder/wheelhouse" 2>/dev/null)" ] && set -- --no-index --find-links "$folder/wheelhouse" "$@"
"$target/bin/python" -m pip install "$@"
# requirements-tensorflow.txt holds the same pins as requirements.txt, and more: it serves both.
{ pins requirements.txt; pins "$requirements"; } > "$stamp"
echo "install_node.sh: made $target"
