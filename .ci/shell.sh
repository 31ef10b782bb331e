# shellcheck shell=bash
# Sourced by the scripts of this folder: how they speak, and how they install Debian packages.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

fail() { # what, why, try
    printf 'error: %s\n  why: %s\n  try: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() { # package...; fails when this is not root's Debian
    may_install || return 1
    say "installing with apt-get: $*"
    # Another apt-get may be at work on a shared machine, or on one that has just been started.
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=600)
    export DEBIAN_FRONTEND=noninteractive
    "${apt[@]}" update </dev/null >&2 || say "could not refresh the package lists, trying with those at hand"
    "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >&2
}
