# Runs inside the machine: records real programs on this kernel and asks the captures. Exit code 0 is the verdict.
set -u
failures=0
only() { grep -qw "only=$1" /proc/cmdline; }
check() { # check NAME EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: expected '$2', got '$3'"; failures=$((failures + 1)); fi
}
at_least() { # at_least NAME MINIMUM ACTUAL
    if [ "${3:-0}" -ge "$2" ] 2>/dev/null; then echo "ok   $1 ($3)"; else echo "FAIL $1: expected at least $2, got '$3'"; failures=$((failures + 1)); fi
}

# A kernel may leave out runs of programs (from 7.0 on, where a task is preempted in one, most often in those of mmap): they are
# counted, and what is missing could be what a check looks for. So what is recorded is recorded again while an event was lost
# that checks look for, three times at most.
lost_events() { # lost_events FILE...: the events of which some were lost
    for file; do tracer info $file | sed -n 's/^Loss *[0-9,]* of \([a-z0-9_]*\).*/\1/p'; done | sort -u
}
whole() { # whole FILE... -- COMMAND...
    files=; while [ "$1" != -- ]; do files="$files $1"; shift; done; shift
    for try in 1 2 3; do
        "$@"; code=$?
        missing=$(lost_events $files | grep -v mmap | tr '\n' ' ')
        [ -z "$missing" ] && break
        echo "again: lost in$files: $missing" >&2
    done
    return $code
}

finish() { echo "$failures failed"; exit $((failures > 0)); }

. /payload/stress
if only stress; then finish; fi

whole /tmp/ls.trz -- tracer record --force -o /tmp/ls.trz -- ls / > /dev/null; check "record passes ls's exit code on" 0 $?
at_least "ls opens files" 1 "$(tracer replay /tmp/ls.trz -f 9:comm=ls -f 9:event=openat --count)"
check "ls is executed once" 1 "$(tracer replay /tmp/ls.trz -f 9:binary=/usr/bin/ls -f 9:event=sched_process_exec --count)"
check "ls exits once" 1 "$(tracer replay /tmp/ls.trz -f 9:comm=ls -f 9:event=sched_process_exit --count)"
# Programs of another architecture are BusyBox, which is linked to no libraries and opens no others.
opened=/etc/ld.so.cache rows=50
[ "$(uname -m)" = x86_64 ] || { opened=/; rows=40; }
# Whether an open made its file, by the kernel.
whole /tmp/created.trz -- tracer record --force -o /tmp/created.trz -- sh -c 'rm -f /tmp/made; echo 1 > /tmp/made; echo 2 > /tmp/made; cat /tmp/made' > /dev/null
for event in openat security_file_open; do
    made="-f $event.pathname=/tmp/made"
    check "$event says that it made its file" 1 "$(tracer replay /tmp/created.trz $made -f $event.created=true --count)"
    check "$event says that the file was there" 2 "$(tracer replay /tmp/created.trz $made -f $event.created=false --count)"
done
check "paths are readable" 1 "$(tracer replay /tmp/ls.trz -f comm=ls -f "openat.pathname=$opened" --count)"

whole /tmp/id.trz -- tracer record --force -o /tmp/id.trz -f 3:comm=id -f 3:event=sched_process_exit -f 9:event=sched_process_exit -- sh -c 'id; ls /; true' > /dev/null
tracer replay /tmp/id.trz -f 3:comm=id -f 3:event=sched_process_exit -f 9:event=sched_process_exit -o json > /tmp/again.json
tracer replay /tmp/id.trz -o json > /tmp/recorded.json
check "replay gives the recorded masks" "$(md5sum < /tmp/recorded.json)" "$(md5sum < /tmp/again.json)"
check "id has both scopes" 1 "$(grep '"processName":"id"' /tmp/again.json | grep -c '"matchedScopes":260')"

tracer record -o /tmp/dd.trz -- dd if=/dev/zero of=/dev/null bs=1 count=20000 2>/dev/null
reads=$(tracer replay /tmp/dd.trz -f comm=dd -f event=read --count)
lost=$(tracer info /tmp/dd.trz -o json | tr ',{' '\n\n' | sed -n 's/^ *"lost": *\([0-9]*\).*/\1/p' | head -1)
at_least "dd's reads are recorded or counted as lost" 20000 $((reads + ${lost:-0}))

zeros=$(tracer replay /tmp/dd.trz -f comm=dd -f read.fd=/dev/zero --count)
at_least "dd's reads are of the file that they are of" 20000 $((zeros + ${lost:-0}))
at_least "closed descriptors are known" 1 "$(tracer replay /tmp/ls.trz -f comm=ls -f "close.fd=/*" --count)"

# How long calls take, and those that have not returned.
whole /tmp/timing.trz -- tracer record --force --timing -o /tmp/timing.trz -- sh -c 'sleep 30 & sleep 0.5; kill $!' > /dev/null
sleeps='-f comm=sleep -f event=nanosleep,clock_nanosleep'
check "a sleep takes its time" 1 "$(tracer replay /tmp/timing.trz $sleeps -f 'duration>=500ms' -f !unfinished -f 'duration<20s' -f clock_nanosleep.retval=0 --count)"
whole /tmp/unfinished.trz -- tracer record --force --timing -o /tmp/unfinished.trz -- sh -c 'sleep 30 & sleep 0.5' > /dev/null
check "a sleep that has not ended is told" 1 "$(tracer replay /tmp/unfinished.trz $sleeps -f unfinished -f 'duration>300ms' --count)"
check "calls of a program have durations" "$(tracer replay /tmp/timing.trz -f comm=sh -f event=read --count)" "$(tracer replay /tmp/timing.trz -f comm=sh -f event=read -f 'duration>=0' --count)"

# Packets, each with the process whose socket it came from or went to: of a ping what it asks, as it leaves and arrives, and
# the answer that it gets.
whole /tmp/net.trz -- tracer record --force -o /tmp/net.trz -- sh -c 'ping -c 2 127.0.0.1; echo hello | nc -l -p 7777 & sleep 1; nc 127.0.0.1 7777 < /dev/null; nslookup some.name 127.0.0.1' > /dev/null 2> /tmp/net.err
grep net_packet /tmp/net.err
check "ping's packets are recorded as its own" 6 "$(tracer replay /tmp/net.trz -f comm=ping -f event=net_packet_icmp --count)"
check "packets have addresses" 6 "$(tracer replay /tmp/net.trz -f comm=ping -f net_packet_icmp.src=127.0.0.1 -f net_packet_icmp.dst=127.0.0.1 --count)"
at_least "a connection's packets are recorded" 8 "$(tracer replay /tmp/net.trz -f comm=nc -f event=net_packet_tcp --count)"
at_least "a question for a name is recorded" 1 "$(tracer replay /tmp/net.trz -f comm=nslookup -f event=net_packet_dns_request --count)"
# Before 5.15, sockets that are older than the recording cannot be listed, and that is said.
check "packets can be recorded" "" "$(tracer info /tmp/net.trz | grep '^Not recorded.*net_packet' | grep -v 'older than the recording')"

# A narrow recording within a broad one: of the same run it keeps what the broad one matches. An exec's own rename may be
# seen by either as before or as after it, either may have had no time for an executable's hash, which it counts, and events of
# which either lost some are not compared.
whole /tmp/broad.trz /tmp/narrow.trz -- tracer record --force -o /tmp/broad.trz -- tracer record --force --only-matched -o /tmp/narrow.trz -f 3:comm=ls,cat -f 7:uid=1000 -f 7:event=openat,sched_process_exit -- sh -c 'ls /; id; cat /etc/passwd; su alice -c id; true' > /dev/null 2> /tmp/narrow.err
left_out=$(lost_events /tmp/broad.trz /tmp/narrow.trz | tr '\n' '|')task_rename
rows() {
    tracer replay $1 -f 3:comm=ls,cat -f 7:uid=1000 -f 7:event=openat,sched_process_exit -o json | grep -Ev "\"eventName\":\"($left_out)\"" |
        sed 's/.*"hostThreadId":\([0-9]*\).*"eventName":"\([^"]*\)","matchedScopes":\([0-9]*\).*"returnValue":\([-0-9]*\).*"args":\(.*\),"scopes":.*/\1 \2 \3 \4 \5/; s/,{"name":"sha256"[^}]*}//' | sort
}
rows /tmp/broad.trz > /tmp/broad.rows; rows /tmp/narrow.trz > /tmp/narrow.rows
at_least "the narrow recording has rows" $rows "$(wc -l < /tmp/narrow.rows)"
at_least "of its second scope too" 3 "$(cut -d' ' -f3 /tmp/narrow.rows | grep -c '^64$')"
check "the narrow recording is what the broad one matches" "" "$(diff /tmp/broad.rows /tmp/narrow.rows | grep '^[-+<>]' | head -5)"
check "what no scope wants is not in it" 0 "$(tracer replay /tmp/narrow.trz -f comm=id -f uid=0 -f 'event!=sched_process_fork,sched_process_exec,sched_process_exit' --count)"
check "it says that it is narrow" 1 "$(tracer info /tmp/narrow.trz | grep -c 'only what matched was recorded')"
at_least "it says how much was left out" 1 "$(sed -n 's/.* \([0-9,]*\) left out.*/\1/p' /tmp/narrow.err | tr -d , | tail -1)"

if [ -e /payload/edges ]; then . /payload/edges; fi
if [ -e /payload/hooks ]; then . /payload/hooks; fi
finish
