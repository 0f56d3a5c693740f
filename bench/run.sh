#!/usr/bin/env bash
# Builds tollgate, gets the libraries it is measured against, and runs the benchmarks on the built package.
# Arguments: see --help.
set -euo pipefail
cd "$(dirname "$0")/.."

npm run --silent build

# npm leaves its own copy of the lock file behind; it is older where the lock file has changed since.
if [[ ! bench/node_modules/.package-lock.json -nt bench/package-lock.json ]]; then
  npm ci --prefix bench --no-audit --no-fund
fi

# Not tsx: it keeps the names of functions by a call per closure, which slows down what is measured.
node_modules/.bin/tsup --config bench/tsup.config.ts

if [[ "${1:-}" == gateway ]]; then
  exec node bench/dist/gateway/main.js "${@:2}"
fi
exec node bench/dist/main.js "$@"
