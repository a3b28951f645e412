#!/usr/bin/env bash
# Build on DuckDB what a change touches and what comes after it; all else is read from the base's build.
#
#   scripts/slim_build.sh [BASE]      BASE: a commit or branch, default origin/main
#
# The base is built once, on simulated sales, into var/slim/<its commit>; schemas of the change are
# beside those of the base in the same file.
set -euo pipefail
cd "$(dirname "$0")/.."
# The lane is DuckDB's, whatever the shell is set to.
unset SALESCAST_TARGET SALESCAST_LAKE SALESCAST_SCHEMA SALESCAST_FORECASTER
base=$(git rev-parse --verify "${1:-origin/main}^{commit}")
bin=$PWD/.venv/bin
export SALESCAST_HOME=$PWD/var/slim/$base
state=$SALESCAST_HOME/state

if [ ! -f "$state/manifest.json" ]; then
  echo "building the base $base"
  rm -rf "$SALESCAST_HOME"
  mkdir -p "$SALESCAST_HOME"
  git worktree prune
  git worktree add --quiet --detach "$SALESCAST_HOME/base" "$base"
  trap 'git worktree remove --force "$SALESCAST_HOME/base"' EXIT
  (
    export SALESCAST_PROJECT_DIR=$SALESCAST_HOME/base
    # The base's own program, since the two may have changed together.
    export PYTHONPATH=$SALESCAST_PROJECT_DIR/python
    "$bin/python" -m salescast simulate "$SALESCAST_HOME/source" --stores 4 --departments 4
    "$bin/python" -m salescast ingest "$SALESCAST_HOME/source" --mapping demo
    "$bin/python" -m salescast run --model snaive_52 --backtests 1
    mkdir -p "$SALESCAST_HOME/parsed"
    "$bin/dbt" parse --project-dir "$SALESCAST_PROJECT_DIR" --profiles-dir "$SALESCAST_PROJECT_DIR" \
      --target-path "$SALESCAST_HOME/parsed" --log-path "$SALESCAST_HOME/logs" --quiet
  )
  mv "$SALESCAST_HOME/parsed" "$state"
fi

# Eager: a test may read what has not changed, which is all there.
SALESCAST_SCHEMA=change "$bin/dbt" build --select state:modified+ --indirect-selection eager \
  --defer --favor-state --state "$state" \
  --profiles-dir . --target-path "$SALESCAST_HOME/change" --log-path "$SALESCAST_HOME/logs"

changed=$(git diff --name-only --diff-filter=d "$base" -- 'models/*.sql' 'tests/*.sql')
if [ -n "$changed" ]; then
  # shellcheck disable=SC2086  # paths of models have no spaces
  "$bin/sqlfluff" lint --disable-progress-bar $changed
fi
