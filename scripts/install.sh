#!/usr/bin/env bash
# Installs Debian packages that the tests need: install.sh PACKAGE...
set -euo pipefail
run=()
[ "$(id -u)" = 0 ] || run=(sudo)
if ! command -v apt-get >/dev/null; then
  echo "apt-get is missing; install these packages manually: $*" >&2
  exit 1
fi
"${run[@]}" apt-get update -q
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
