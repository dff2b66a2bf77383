# Counts test cases in the output of `ctest --verbose` over cmocka programs that write TAP.
#
# Prints "list ..." for people (failed and skipped cases) and one "count PASSED FAILED SKIPPED". A program that ends
# early, times out or fails without naming a case counts its missing cases as failed, and at least one.

# "7: text": a line that test number 7 wrote.
/^[0-9]+: / {
    number = $1
    sub(/:$/, "", number)
    text = substr($0, index($0, ": ") + 2)
    if (text ~ /^1\.\.[0-9]+$/) {
        planned[number] += substr(text, 4)
    } else if (text ~ /^(not )?ok [0-9]+ # SKIP /) {
        name = text
        sub(/^(not )?ok [0-9]+ # SKIP /, "", name)
        why = last[number] ~ /^skipped: / ? substr(last[number], 10) : "no reason given"
        skips[number]++
        lists[number] = lists[number] "list   skipped: " name ": " why "\n"
    } else if (text ~ /^ok [0-9]+/) {
        passes[number]++
    } else if (text ~ /^not ok 0 - /) {
        # Setting up or taking down the whole group: the cases it kept from running are counted below.
        lists[number] = lists[number] "list   FAILED: " (text ~ /SETUP/ ? "setting up" : "taking down") " the group\n"
    } else if (text ~ /^not ok [0-9]+/) {
        name = text
        sub(/^not ok [0-9]+ - /, "", name)
        fails[number]++
        lists[number] = lists[number] "list   FAILED: " name "\n"
        in_failure[number] = 1
    } else if (text ~ /^# / && text !~ /^# (not )?ok - / && in_failure[number]) {
        lists[number] = lists[number] "list     " substr(text, 3) "\n"
    }
    if (text !~ /^# /) {
        in_failure[number] = text ~ /^not ok [0-9]+ - /
    }
    if (text != "") {
        last[number] = text
    }
    next
}

# " 3/11 Test  #7: name ....   Passed    0.03 sec"
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    number = $0
    sub(/^[^#]*#/, "", number)
    sub(/:.*/, "", number)
    name = $0
    sub(/^[^#]*#[0-9]+: /, "", name)
    sub(/ .*/, "", name)
    seen = passes[number] + fails[number] + skips[number]
    missing = planned[number] - seen
    has_failed = $0 !~ / Passed /
    if (missing < 0) {
        missing = 0
    }
    if (missing == 0 && has_failed && fails[number] == 0) {
        missing = 1
    }
    if (missing > 0) {
        how = $0
        sub(/^.*\*\*\*/, "", how)
        lists[number] = lists[number] "list   FAILED: " missing " cases that did not end (" how ")\n"
        fails[number] += missing
    }
    pass += passes[number]
    fail += fails[number]
    skip += skips[number]
    if (lists[number] != "") {
        printf "list %s\n%s", name, lists[number]
    }
}

END {
    printf "count %d %d %d\n", pass, fail, skip
}
