# Part of the test inside the machine: programs that meet on a CPU, and may be preempted in the middle of a record. What
# happens on the idle machine afterwards is recorded to the last call.
number() { tracer info $1 -o json | tr ',{' '\n\n' | sed -n "s/^ *\"$2\": *\([0-9]*\).*/\1/p" | head -1; }

stress() { # stress NAME OPTIONS...: records it by these options
    way="stress, $1"; shift
    made=$(tracer record --force -o /tmp/stress.trz "$@" -- /usr/bin/stress 3 2> /tmp/stress.err)
    at_least "$way: calls are made" 1000 "$made"
    for cpu in $(seq 0 $(($(nproc) - 1))); do
        check "$way: all calls of CPU $cpu afterwards are recorded" 1000 "$(tracer replay /tmp/stress.trz -f close.fd=$((4243 + cpu)) --count 2> /dev/null)"
    done
    check "$way: all forks afterwards" $((20 * $(nproc))) "$(tracer replay /tmp/stress.trz -f comm=marked -f event=sched_process_fork --count 2> /dev/null)"
    check "$way: all exits afterwards" $((20 * $(nproc) + 1)) "$(tracer replay /tmp/stress.trz -f comm=marked -f event=sched_process_exit --count 2> /dev/null)"
    recorded=$(tracer replay /tmp/stress.trz -f close.fd=3333 --count 2> /dev/null); lost=$(number /tmp/stress.trz lost)
    at_least "$way: of $made calls under the load $recorded are recorded and $lost counted as lost" "$made" $((recorded + ${lost:-0}))
    tracer info /tmp/stress.trz 2> /dev/null | sed -n 's/^Loss *\([0-9,]*\) of \(.*\), .*: \([a-z ]*\)$/     lost: \1 of \2: \3/p' | sort | uniq
    check "$way: nothing is stuck" "" "$(grep -i stuck /tmp/stress.err)"
}

echo "     preemption: $(cat /sys/kernel/debug/sched/preempt 2> /dev/null)"
stress "hooks and regions"
stress "regions alone" --hooks none
stress "ring buffer" --transport ringbuf
