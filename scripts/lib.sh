# shellcheck shell=sh
# What the scripts share; sourced, not run. Expects $0 to be a script in scripts/.

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1

# Tools sort, count and print the same everywhere; this locale is part of glibc.
LC_ALL=C.UTF-8
export LC_ALL

# The real catalogues: wherever CARILLON_DATA says, else beside the repository. This is the only place that says so;
# programs and tests know the variable alone and skip what needs it.
if [ -z "${CARILLON_DATA:-}" ] && [ -d "$root/../shared/data" ]; then
    CARILLON_DATA=$(cd "$root/../shared/data" && pwd)
fi
if [ -n "${CARILLON_DATA:-}" ]; then
    export CARILLON_DATA
fi

jobs=${CARILLON_JOBS:-$(nproc)}
began=$(date +%s)

# say WORDS: one line of progress, with the seconds since the script began.
say() {
    printf '[%4ds] %s\n' "$(($(date +%s) - began))" "$*"
}

# fail WORDS: the end.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# quietly LOG COMMAND...: run with all output in LOG; on failure show the end of it.
quietly() {
    log=$1
    shift
    mkdir -p "$(dirname "$log")"
    if ! "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        printf '%s: failed: %s (all of it: %s)\n' "$(basename "$0")" "$*" "$log" >&2
        return 1
    fi
}

# build PRESET [TARGET...]: configure and compile.
build() {
    say "building $1"
    quietly "build/$1.log" scripts/build "$@" || exit 1
}

# run_cases NAME PRESET [CTEST OPTIONS]: run the tests of a build and count their cases. Sets passed, failed and
# skipped to the sums so far; lists what failed and what was skipped, with the reason.
passed=0
failed=0
skipped=0
run_cases() {
    name=$1
    preset=$2
    shift 2
    say "testing $name"
    log=build/test-$name.log
    # The exit code of ctest says less than its output: the cases are counted there.
    CMOCKA_MESSAGE_OUTPUT=TAP ctest --test-dir "build/$preset" --verbose -j "$jobs" "$@" >"$log" 2>&1 || true
    awk -f scripts/cases.awk "$log" >"$log.cases"
    sed -n "s/^list //p" "$log.cases"
    # shellcheck disable=SC2046
    set -- $(sed -n 's/^count //p' "$log.cases")
    say "tested $name: $1 passed, $2 failed, $3 skipped"
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
    if [ "$1" -eq 0 ]; then
        tail -n 30 "$log" >&2
        printf 'no case of %s passed: see %s\n' "$name" "$log" >&2
        failed=$((failed + 1))
    fi
    if [ "$2" -gt 0 ]; then
        printf 'all output of %s: %s\n' "$name" "$log" >&2
    fi
}
