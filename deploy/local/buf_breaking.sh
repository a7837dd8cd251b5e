#!/usr/bin/env bash
# Compares the contract with a base revision. Google's files are not committed, so the old tree gets today's copy.
set -euo pipefail
base=${1:-origin/main}
if ! git rev-parse --quiet --verify "$base^{commit}" >/dev/null; then
  base=$(git rev-parse --quiet --verify 'HEAD^{commit}') || { echo "buf breaking: no base revision yet"; exit 0; }
fi
git cat-file -e "$base:proto/bihuan" 2>/dev/null || { echo "buf breaking: $base has no contract yet"; exit 0; }
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git archive "$base" proto buf.yaml | tar x -C "$tree"
cp -r proto/include "$tree/proto/include"
buf breaking --against "$tree"
