#!/usr/bin/env bash
# Usage: fuzz.sh TIME
#
# Runs every fuzz target of the repository for TIME each, all of them whatever the outcome of one,
# and fails when one failed. An input that broke something is kept under testdata/fuzz beside its
# target, where plain `go test` replays it from then on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# run DIR TARGET
run() {
	local try
	for try in 1 2 3; do
		if go test -run='^$' -fuzz="^$2\$" -fuzztime="$fuzztime" "$1" >"$log" 2>&1; then
			grep -E '^fuzz: elapsed|^ok' "$log" | tail -n 2
			return 0
		fi
		# Go before 1.27 sometimes takes the end of the given time for a failure of the target
		# (go.dev/issue/75804): no input is written then, and another try decides.
		if grep -q 'Failing input written to' "$log" || ! grep -qx ' *context deadline exceeded' "$log"; then
			break
		fi
		echo "$2: ended by the clock of go test itself, try $try of 3"
	done
	cat "$log"
	return 1
}

failed=()
count=0
while IFS=: read -r file target; do
	count=$((count + 1))
	echo "$target in $(dirname "$file")"
	run "$(dirname "$file")" "$target" || failed+=("$target")
done < <(grep -roE --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]*' . | sed 's/func //' | sort)

echo "$count fuzz targets, ${#failed[@]} failed${failed:+: ${failed[*]}}"
[ "${#failed[@]}" -eq 0 ]
