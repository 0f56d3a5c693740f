#!/usr/bin/env bash
# Changes the code of a room one place at a time and asks whether a test notices; fails under 95 % noticed.
# Arguments: rooms of rooms.json, all of them if none is given; then options of Stryker. See docs/mutation-testing.md.
set -euo pipefail
cd "$(dirname "$0")"

# A package of its own, so that who works on anything else does not install it.
if [[ ! node_modules/.package-lock.json -nt package.json ]]; then npm install; fi

cd ../..
rooms=()
while [[ $# -gt 0 && $1 != -* ]]; do rooms+=("$1"); shift; done
if [[ ${#rooms[@]} -eq 0 ]]; then rooms=(policy admission); fi
failed=0
for room in "${rooms[@]}"; do
  echo "== $room"
  TOLLGATE_ROOM=$room node test/mutation/node_modules/@stryker-mutator/core/bin/stryker.js \
    run test/mutation/stryker.config.mjs "$@" || failed=1
done
exit $failed
