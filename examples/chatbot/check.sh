#!/usr/bin/env bash
# What a pipeline runs before a change is merged: all environments come up in a sandbox, no cluster needed.
set -euo pipefail
cd "$(dirname "$0")"
for environment in dev staging prod; do
  tiphys render chart -f "values/$environment.yaml" > /dev/null
done
tiphys up . --wait --timeout 120s
