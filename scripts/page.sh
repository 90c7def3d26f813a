#!/usr/bin/env bash
# The map page, by npm: page.sh build (into web/dist; where npm is not, the binary has a plain page), page.sh tools (installs
# what its tests need and is missing), or page.sh test (in Chromium, with the binary that KILN names).
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:?build, tools or test}
node_folder=$PWD/target/node

# Whether there is a Node.js that Vite runs on: 20.19 or newer.
has_node() {
  command -v node >/dev/null && command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
}

export PATH="$node_folder/node_modules/node/bin:$PATH"
if [ "$wanted" = tools ]; then
  command -v npm >/dev/null || scripts/install.sh npm
  # Debian's own may be older.
  has_node || npm install --silent --no-fund --no-audit --prefix "$node_folder" node@22
  command -v chromium >/dev/null || scripts/install.sh chromium
  exit 0
fi
if ! has_node; then
  if [ "$wanted" = test ]; then
    echo "The map page's tests need npm with Node.js 20.19 or newer: scripts/page.sh tools" >&2
    exit 1
  fi
  echo "There is no npm with Node.js 20.19 or newer: the binary will have the plain page. Install them for the full one." >&2
  exit 0
fi

cd web
# What the lock file says, once for each of its states.
if ! cmp -s package-lock.json node_modules/.kiln-lock; then
  npm ci --no-fund --no-audit --loglevel=error
  cp package-lock.json node_modules/.kiln-lock
fi
newer=$(find page mask kiln-leaflet/src vite.config.ts package-lock.json -newer dist/index.html -print -quit 2>/dev/null || echo all)
if [ ! -e dist/index.html ] || [ -n "$newer" ]; then
  npm run --silent build
fi
if [ "$wanted" = test ]; then
  npm run --silent check
  npm run --silent package
  npm run --silent test
fi
