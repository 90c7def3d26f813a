#!/usr/bin/env bash
# Builds the Debian package from a release binary by cargo-deb: deb.sh [--target TARGET] [--output FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-deb >/dev/null || { echo 'cargo-deb is missing: cargo install cargo-deb' >&2; exit 1; }
binary=target/release/kiln
for ((i = 1; i < $#; i++)); do
  next=$((i + 1))
  [ "${!i}" != --target ] || binary=target/${!next}/release/kiln
done
rm -rf target/package
mkdir -p target/package/man
"$binary" completions bash > target/package/kiln.bash
"$binary" completions zsh > target/package/_kiln
"$binary" completions fish > target/package/kiln.fish
"$binary" man --folder target/package/man
gzip -9n target/package/man/*
cargo deb --no-build "$@"
