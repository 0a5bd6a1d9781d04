#!/usr/bin/env bash
# Who may know whom (docs/ARCHITECTURE.md): an include that runs against the house's directions fails the tests.
# Prints each such line; silence and 0 when there is none.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0

# forbid REASON PATTERN FILE…: no line of the files may include what the pattern names.
forbid() {
    local reason=$1 pattern=$2 found
    shift 2
    [ $# -gt 0 ] || return 0
    found=$(grep -HnE "^#[[:space:]]*include[[:space:]]*[\"<]($pattern)" "$@") || return 0
    printf '%s\n' "$found" | sed "s#\$#    <- $reason#"
    status=1
}

# files FOLDER [EXCEPT-REGEX]: its own C files, not those of folders in it.
files() {
    find "$1" -maxdepth 1 -name '*.[ch]' | { grep -vE "${2:-^$}" || true; }
}

mapfile -t base < <(files liblog/base)
mapfile -t library < <(files liblog)
mapfile -t public < <(files include/liblog)
mapfile -t shipper < <(files shipper)
mapfile -t not_store < <(files shipper '/store[a-z_]*\.[ch]$')
mapfile -t not_kafka < <(files shipper '/output_kafka[a-z_]*\.[ch]$')
mapfile -t stages < <(find shipper -maxdepth 1 \( -name 'frame.[ch]' -o -name 'scan.[ch]' -o -name 'tail.[ch]' -o -name 'window.[ch]' \))
inside=$(find liblog -maxdepth 1 -name '*.h' -printf '%f\n' | while read -r name; do
    [ -e "include/liblog/$name" ] || printf '%s\n' "$name"
done | paste -sd '|')
mapfile -t users < <(find examples tests -name '*.[ch]*' \
    \( -path 'examples/*' -o -path 'tests/package/*' -o -path 'tests/loggers/*' \))

forbid "the floor knows nothing of those who stand on it" '(\.\./)?(shipper/|liblog/[a-z_]*\.h)' \
    "${base[@]}"
forbid "the library does not know the sidecar" '(\.\./)*shipper/' "${library[@]}" "${base[@]}" "${public[@]}"
forbid "a public header includes public headers and the C library only" '(\.\./|liblog/base|shipper/)' "${public[@]}"
[ -z "$inside" ] ||
    forbid "the sidecar uses the library's public headers and its floor, nothing of its inside" \
        "(\.\./)*liblog/($inside)\"" "${shipper[@]}"
forbid "all SQL stands in the store" 'sqlite3\.h' "${not_store[@]}"
forbid "Kafka stands in its output" 'librdkafka/' "${not_kafka[@]}"
forbid "stages meet in the pipeline only" '(pipeline|store|output)[a-z_]*\.h' "${stages[@]}"
forbid "a user's program knows what is installed, nothing of the inside" '(\.\./|liblog/base/|shipper/)' "${users[@]}"
exit "$status"
