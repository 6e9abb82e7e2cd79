# Part of the test inside the machine: programs that meet on a CPU, and may be preempted in the middle of a record. What
# happens on the idle machine afterwards is recorded to the last call.
# Records of an event that are counted as lost: by the kernel itself too, which from 7.0 on may skip a program.
lost_of() { tracer info $1 2> /dev/null | sed -n "s/^Loss *\([0-9,]*\) of $2, .*/\1/p" | tr -d , | awk '{ n += $1 } END { print n + 0 }'; }
number() { tracer info $1 -o json | tr ',{' '\n\n' | sed -n "s/^ *\"$2\": *\([0-9]*\).*/\1/p" | head -1; }

stress() { # stress NAME OPTIONS...: records it by these options
    way="stress, $1"; shift
    made=$(tracer record --force -o /tmp/stress.trz "$@" -- /usr/bin/stress 3 2> /tmp/stress.err)
    at_least "$way: calls are made" 1000 "$made"
    for cpu in $(seq 0 $(($(nproc) - 1))); do
        check "$way: all calls of CPU $cpu afterwards are recorded" 1000 "$(tracer replay /tmp/stress.trz -f close.fd=$((4243 + cpu)) --count 2> /dev/null)"
    done
    for event in sched_process_fork sched_process_exit; do
        recorded=$(tracer replay /tmp/stress.trz -f comm=marked -f event=$event --count 2> /dev/null)
        lost=$(lost_of /tmp/stress.trz $event)
        expected=$((20 * $(nproc))); [ $event = sched_process_fork ] || expected=$((expected + 1))
        at_least "$way: $event afterwards: $recorded recorded, $lost counted as lost" $expected $((recorded + lost))
    done
    recorded=$(tracer replay /tmp/stress.trz -f close.fd=3333 --count 2> /dev/null); lost=$(number /tmp/stress.trz lost)
    at_least "$way: of $made calls under the load $recorded are recorded and $lost counted as lost" "$made" $((recorded + ${lost:-0}))
    tracer info /tmp/stress.trz 2> /dev/null | sed -n 's/^Loss *\([0-9,]*\) of \(.*\), .*: \([a-z ]*\)$/     lost: \1 of \2: \3/p' | sort | uniq
    check "$way: nothing is stuck" "" "$(grep -i stuck /tmp/stress.err)"
}

echo "     preemption: $(cat /sys/kernel/debug/sched/preempt 2> /dev/null)"
stress "hooks and regions"
stress "regions alone" --hooks none
stress "ring buffer" --transport ringbuf
