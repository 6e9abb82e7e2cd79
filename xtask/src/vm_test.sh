# Runs inside the machine: records real programs on this kernel and asks the captures. Exit code 0 is the verdict.
set -u
failures=0
check() { # check NAME EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: expected '$2', got '$3'"; failures=$((failures + 1)); fi
}
at_least() { # at_least NAME MINIMUM ACTUAL
    if [ "${3:-0}" -ge "$2" ] 2>/dev/null; then echo "ok   $1 ($3)"; else echo "FAIL $1: expected at least $2, got '$3'"; failures=$((failures + 1)); fi
}

tracer record -o /tmp/ls.trz -- ls / > /dev/null; check "record passes ls's exit code on" 0 $?
at_least "ls opens files" 1 "$(tracer replay /tmp/ls.trz -f 9:comm=ls -f 9:event=openat --count)"
check "ls is executed once" 1 "$(tracer replay /tmp/ls.trz -f 9:binary=/usr/bin/ls -f 9:event=sched_process_exec --count)"
check "ls exits once" 1 "$(tracer replay /tmp/ls.trz -f 9:comm=ls -f 9:event=sched_process_exit --count)"
check "paths are readable" 1 "$(tracer replay /tmp/ls.trz -f comm=ls -f 'openat.pathname=/etc/ld.so.cache' --count)"

tracer record -o /tmp/id.trz -f 3:comm=id -f 3:event=sched_process_exit -f 9:event=sched_process_exit -- sh -c 'id; ls /; true' > /dev/null
tracer replay /tmp/id.trz -f 3:comm=id -f 3:event=sched_process_exit -f 9:event=sched_process_exit -o json > /tmp/again.json
tracer replay /tmp/id.trz -o json > /tmp/recorded.json
check "replay gives the recorded masks" "$(md5sum < /tmp/recorded.json)" "$(md5sum < /tmp/again.json)"
check "id has both scopes" 1 "$(grep '"processName":"id"' /tmp/again.json | grep -c '"matchedScopes":260')"

tracer record -o /tmp/dd.trz -- dd if=/dev/zero of=/dev/null bs=1 count=20000 2>/dev/null
reads=$(tracer replay /tmp/dd.trz -f comm=dd -f event=read --count)
lost=$(tracer info /tmp/dd.trz -o json | tr ',{' '\n\n' | sed -n 's/^"lost": *\([0-9]*\).*/\1/p' | head -1)
at_least "dd's reads are recorded or counted as lost" 20000 $((reads + ${lost:-0}))

zeros=$(tracer replay /tmp/dd.trz -f comm=dd -f read.fd=/dev/zero --count)
at_least "dd's reads are of the file that they are of" 20000 $((zeros + ${lost:-0}))
at_least "closed descriptors are known" 1 "$(tracer replay /tmp/ls.trz -f comm=ls -f "close.fd=/*" --count)"

if [ -e /payload/hooks ]; then . /payload/hooks; fi
echo "$failures failed"
exit $((failures > 0))
