# Runs inside a machine of eight CPUs: what several drains write, while all CPUs are busy. Exit code 0 is the verdict.
set -u
failures=0
check() { # check NAME EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: expected '$2', got '$3'"; failures=$((failures + 1)); fi
}
at_least() { # at_least NAME MINIMUM ACTUAL
    if [ "${3:-0}" -ge "$2" ] 2>/dev/null; then echo "ok   $1 ($3)"; else echo "FAIL $1: expected at least $2, got '$3'"; failures=$((failures + 1)); fi
}

busy='for n in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/dev/null bs=1 count=3000 2> /dev/null & done
for n in 1 2 3 4 5; do cd /usr; id > /dev/null; cd /; ls /usr > /dev/null; done; wait'
check "the machine has eight CPUs" 8 "$(grep -c ^processor /proc/cpuinfo)"
for drains in default 5; do
    option="--drains $drains"
    [ $drains = default ] && option=
    tracer record $option -o /tmp/$drains.trz -f 3:comm=id -f 4:cwd=/usr -f 9:event=sched_process_exit -- sh -c "$busy" > /dev/null 2> /tmp/said
    tail -n 1 /tmp/said
    tracer verify /tmp/$drains.trz > /dev/null; check "$drains: the capture is whole" 0 $?
    lost=$(tracer info /tmp/$drains.trz -o json | tr ',{' '\n\n' | sed -n 's/^ *"lost": *\([0-9]*\).*/\1/p' | head -1)
    reads=$(tracer replay /tmp/$drains.trz -f comm=dd -f event=read -f read.fd=/dev/zero --count 2> /dev/null)
    at_least "$drains: dd's 24,000 reads are recorded or counted as lost" 24000 $((reads + ${lost:-0}))
    check "$drains: every id exits" 5 "$(tracer replay /tmp/$drains.trz -f comm=id -f event=sched_process_exit --count 2> /dev/null)"
    tracer replay /tmp/$drains.trz -f 3:comm=id -f 4:cwd=/usr -f 9:event=sched_process_exit -o json > /tmp/again.json
    tracer replay /tmp/$drains.trz -o json > /tmp/masks.json
    check "$drains: replay gives the recorded masks" "$(md5sum < /tmp/masks.json)" "$(md5sum < /tmp/again.json)"
    at_least "$drains: masks were given" 50 "$(wc -l < /tmp/masks.json)"
    rm /tmp/*.json /tmp/$drains.trz
done
echo "$failures failed"; exit $((failures > 0))
