#!/usr/bin/env bash
# Whether a change touches some paths: exit status 0 if it does, or if nobody knows.
#
#   scripts/is_changed.sh PATH...
#
# The change is what the files here differ in from where this branch left origin/main, or, on main
# itself and where there is no origin/main, from the commit before.
set -euo pipefail
cd "$(dirname "$0")/.."
base=$(git merge-base HEAD origin/main 2>/dev/null || true)
if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD 2>/dev/null)" ]; then
  base=$(git rev-parse --verify --quiet HEAD~1 || true)
fi
# No git, no history, or a clone of the last commit only.
[ -n "$base" ] || exit 0
! git diff --quiet "$base" -- "$@" && exit 0
[ -n "$(git ls-files --others --exclude-standard -- "$@")" ]
