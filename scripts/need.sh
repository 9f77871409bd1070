#!/usr/bin/env bash
# Usage: need.sh "PACKAGE..." COMMAND...
#
# Installs Debian packages with apt-get unless one of the commands is on PATH already. Where there
# is no apt-get it says what to install and leaves the verdict to whoever needs the command.
set -euo pipefail

packages=$1
shift
for command in "$@"; do
	if command -v "$command" >/dev/null; then
		exit 0
	fi
done

if ! command -v apt-get >/dev/null; then
	echo "none of these commands is on PATH, please install one: $*" >&2
	exit 0
fi

run=()
if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null; then
	run=(sudo)
fi
run+=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300)

echo "installing $packages with apt-get"
"${run[@]}" update -qq
# Unquoted on purpose: several packages in one word.
# shellcheck disable=SC2086
"${run[@]}" install -y -qq --no-install-recommends $packages
