#!/usr/bin/env bash
# Creates the Python environment of a node. EMR runs it as a bootstrap action on every node, before
# Spark starts; the local EMR and `make` run this same file.
#
#   install_node.sh --target DIR --source URI [--with-tensorflow]
#
# --target  the virtual environment to create, e.g. /opt/orchard/venv
# --source  the folder (file:///… or s3://…) with requirements.txt and, if `make deploy` wrote it,
#           wheelhouse.txt: the URI of a folder of wheels. With a wheelhouse, everything except TensorFlow
#           is installed from it alone.
# --with-tensorflow  also install what --runtime=tensorflow and model export need (2 GB, from PyPI)
#
# Every wheel is checked against its hash. Running it again with the same requirements does nothing.
# It prints the reason and exits with 2 on any error.
# PYTHON names the interpreter. The default is python3.11, or else python3; if neither is suitable, dnf
# installs python3.11 from Amazon Linux's repositories in S3.
set -euo pipefail

say() { echo "install_node.sh: $1"; }
fail() { echo "install_node.sh: $1" >&2; exit 2; }

target="" source="" requirements=requirements.txt
while [ $# -gt 0 ]; do
  case "$1" in
    --target | --source)
      [ -n "${2:-}" ] || fail "$1 requires a value: the arguments are --target DIR --source URI [--with-tensorflow]"
      if [ "$1" = --target ]; then target="$2"; else source="$2"; fi
      shift 2 ;;
    --with-tensorflow) requirements="requirements-tensorflow.txt"; shift ;;
    *) fail "unknown argument $1: the arguments are --target DIR --source URI [--with-tensorflow]" ;;
  esac
done
if [ -z "$target" ] || [ -z "$source" ]; then fail "--target and --source are required"; fi

scratch=""
trap 'rm -rf "$scratch"' EXIT

# Sets $folder to a local folder with the files at a URI: the folder itself, or a copy of the objects that
# match the patterns, which is empty if the prefix does not exist.
fetch() { # name URI pattern…
  local name="$1" uri="$2" pattern
  local only=(--exclude '*')
  case "$uri" in
    file:///*) folder="${uri#file://}" ;;
    s3://*)
      for pattern in "${@:3}"; do only+=(--include "$pattern"); done
      if [ -z "$scratch" ]; then scratch="$(mktemp -d)"; fi
      folder="$scratch/$name"
      mkdir -p "$folder"
      aws s3 sync --only-show-errors "${only[@]}" "${uri%/}" "$folder" ||
        fail "cannot read $uri (see above): the node's role must be allowed to list and get it"
      ;;
    *) fail "--source $source: it must be file:///folder or s3://bucket/folder, and so must its wheelhouse.txt" ;;
  esac
}

fetch source "$source" 'requirements*.txt' wheelhouse.txt
code="$folder"
[ -f "$code/$requirements" ] || fail "--source $source: it has no $requirements; create it with \`make package\`"

# The stamp is written last: an environment without its line is incomplete, or has other pins.
stamp="$target/.orchard-node"
pins() { cksum < "$code/$1"; }
if [ -f "$stamp" ] && grep -qxF "$(pins "$requirements")" "$stamp"; then
  say "$target is up to date"
  exit 0
fi

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; }
find_python() { command -v python3.11 || command -v python3 || true; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

python="${PYTHON:-$(find_python)}"
# Amazon Linux 2023 ships Python 3.9. EMR's Python 3.11 is installed with its applications, after this script.
if [ -z "${PYTHON:-}" ] && ! { [ -n "$python" ] && suits "$python"; } && command -v dnf > /dev/null; then
  say "no Python 3.11, 3.12 or 3.13: installing python3.11"
  as_root dnf -y --quiet install python3.11 || fail "dnf could not install python3.11 (see above)"
  python="$(find_python)"
fi
[ -n "$python" ] || fail "no python3 on this machine: install Python 3.11"
suits "$python" ||
  fail "$python is $("$python" --version 2>&1): it must be Python 3.11, 3.12 or 3.13; name one with PYTHON"

set -- --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r "$code/$requirements"
if [ -f "$code/wheelhouse.txt" ] && [ "$requirements" = requirements.txt ]; then
  wheelhouse="$(< "$code/wheelhouse.txt")"
  fetch wheelhouse "$wheelhouse" '*-any.whl' "*_$(uname -m).whl"
  say "installing from $wheelhouse, which has $(find "$folder" -name '*.whl' | wc -l) wheels for $(uname -m)"
  set -- --no-index --find-links "$folder" "$@"
fi

if ! mkdir -p "$target" 2>/dev/null || ! [ -w "$target" ]; then
  { sudo mkdir -p "$target" && sudo chown "$(id -u):$(id -g)" "$target"; } ||
    fail "$(id -un) can neither create $target nor use sudo: choose another --target"
fi
"$python" -m venv --clear "$target" || fail "$python cannot create a virtual environment in $target (see above)"
"$target/bin/python" -m pip install "$@" ||
  fail "pip could not install $requirements with $("$python" --version 2>&1) on $(uname -m) (see above)"
# requirements-tensorflow.txt contains all pins of requirements.txt, so its environment satisfies both.
{ pins requirements.txt; pins "$requirements"; } > "$stamp"
say "created $target"
