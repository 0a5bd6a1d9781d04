# shellcheck shell=bash
# What setup, test.sh and demo.sh share: where the project is, progress lines, and the installing of what is missing.
# Sourced, never run. It works on a bare Debian 12 with nothing but bash and apt, as root or through sudo, and asks
# no question. What is there already is found without the network, so a second run costs a second.

set -Eeuo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
kafka_version=3.9.1
# Home to a cache may be missing (a service, a bare chroot): the system's temporary folder stands in.
kafka_jars=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/liblog/kafka-$kafka_version
jobs=$(nproc)

step() { printf '==> %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Root, or sudo without a question.
can_be_root() {
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# What a command says is shown only when it fails.
quietly() {
    local said status=0
    said=$("$@" 2>&1 </dev/null) || status=$?
    [ "$status" = 0 ] || printf '%s\n' "$said" >&2
    return "$status"
}

# A package may be there for another architecture beside this machine's own: each has a line.
is_installed() {
    local architecture=${1#*:}
    [ "$architecture" != "$1" ] || architecture=$(dpkg --print-architecture)
    dpkg-query -W -f '${Architecture} ${db:Status-Status}\n' "$1" 2>/dev/null | grep -qxE "(all|$architecture) installed"
}

# nginx starts a service when it is installed. Nobody asked for a web server on port 80, so services stay down
# meanwhile, unless the machine has a policy of its own.
apt_install() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    fi
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"
)

# install_debian GROUP: a user of the library needs `build`; `demo` and `test` hold more, each all before it.
install_debian() {
    local names=(gcc g++ cmake ninja-build pkgconf zlib1g-dev libzstd-dev librdkafka-dev libsqlite3-dev libyaml-dev
        libssl-dev libmicrohttpd-dev libcurl4-openssl-dev)
    [ "$1" = build ] || names+=(curl ca-certificates jq logrotate nginx-light)
    [ "$1" != test ] || names+=(git clang clang-format libclang-rt-14-dev libcmocka-dev libjson-c-dev libspdlog-dev shellcheck kcat
        procps sqlite3 strace valgrind zstd python3 python3-venv maven default-jdk-headless)
    install_packages "${names[@]}"
}

# install_packages NAME…: what is not installed yet.
install_packages() {
    local name missing=()
    for name in "$@"; do
        is_installed "$name" || missing+=("$name")
    done
    if [ ${#missing[@]} = 0 ]; then
        step "Debian packages: all $# are there"
        return
    fi
    command -v apt-get >/dev/null ||
        fail "there is no apt here; install what these Debian packages hold yourself: ${missing[*]}"
    can_be_root || fail "installing needs root, and sudo would ask for a password; run this once yourself:
    sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
    step "Debian packages: installing ${missing[*]}"
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    apt_install "${missing[@]}"
}

# Python packages for the tests, in a folder of the project's own: Debian refuses a system-wide pip.
install_python() {
    local wanted=$project/tests/requirements.txt stamp=$project/.venv/requirements.sha256 hash
    hash=$(sha256sum <"$wanted")
    if [ -x "$project/.venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then
        step "Python packages: all are there (.venv)"
        return
    fi
    step "Python packages: installing tests/requirements.txt into .venv"
    /usr/bin/python3 -m venv --clear "$project/.venv"
    "$project/.venv/bin/pip" install --quiet --no-input --disable-pip-version-check -r "$wanted"
    printf '%s\n' "$hash" >"$stamp"
}

# A real Kafka broker for the tests: the jars of one release, outside the repository. They are gathered beside their
# place and moved there whole, so that a folder of that name is always complete.
install_kafka() {
    local arriving=$kafka_jars.arriving.$$
    if [ -d "$kafka_jars" ]; then
        step "Kafka $kafka_version: is there ($kafka_jars)"
        return
    fi
    step "Kafka $kafka_version: fetching its jars into $kafka_jars"
    mkdir -p "$arriving"
    quietly mvn --batch-mode --quiet --no-transfer-progress -Dstyle.color=never -f "$project/tests/support/kafka/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -Dkafka.version="$kafka_version" -DincludeScope=runtime -DoutputDirectory="$arriving"
    # Two runs at once: the first to arrive stays, the other's copy is the same.
    mv -T "$arriving" "$kafka_jars" 2>/dev/null || rm -rf "$arriving"
    [ -d "$kafka_jars" ] || fail "the jars could not be moved to $kafka_jars"
}

# build PRESET [CMAKE-ARGUMENT…]: configures build/PRESET and builds it.
build() {
    local preset=$1
    shift
    step "Building: $preset $*"
    (
        cd "$project"
        cmake --preset "$preset" "$@" >"$project/build/$preset.configure.log" 2>&1 ||
            { cat "$project/build/$preset.configure.log" >&2 && exit 1; }
        cmake --build --preset "$preset" -j "$jobs" -- --quiet
    )
}
