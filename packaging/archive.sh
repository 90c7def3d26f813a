#!/usr/bin/env bash
# Packs the release binary of a target with its licenses, completions and manual pages: archive.sh TARGET FOLDER
#
# Writes FOLDER/kiln-TARGET.tar.gz, or .zip on Windows, which `cargo binstall kiln` finds.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?target, such as x86_64-unknown-linux-gnu}
out=${2:?folder of the archive}
suffix=
[[ $target != *windows* ]] || suffix=.exe
binary=target/$target/release/kiln$suffix
name=kiln-$target
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
mkdir -p "$out" "$staging/$name"/{completions,man}
cp "$binary" LICENSE LICENSE-APACHE README.md "$staging/$name/"
strip "$staging/$name/kiln$suffix" 2>/dev/null || true
for shell in bash zsh fish powershell elvish; do
  "$binary" completions $shell > "$staging/$name/completions/kiln.$shell"
done
"$binary" man --folder "$staging/$name/man"
if [ -n "$suffix" ]; then
  (cd "$staging" && 7z a -bso0 "$name.zip" "$name")
  mv "$staging/$name.zip" "$out/"
else
  tar -C "$staging" -czf "$out/$name.tar.gz" "$name"
fi
