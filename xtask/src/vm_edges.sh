# Part of the test inside the machine: what happens to a host while it is recorded.

# A CPU goes offline and comes back. What runs meanwhile, and on that CPU before and afterwards, is recorded.
online=/sys/devices/system/cpu/cpu1/online
if [ -e $online ]; then
    tracer record -o /tmp/cpu.trz -- sh -c "
        taskset 2 cat /etc/passwd; echo 0 > $online; cat $online > /tmp/was; cat /etc/passwd; sleep 0.3
        echo 1 > $online; sleep 0.3; taskset 2 cat /etc/passwd; taskset 2 id" > /dev/null 2> /tmp/cpu.err
    check "a CPU goes and comes back while it is recorded" 0 $?
    check "it was away" 0 "$(cat /tmp/was)"
    opened=$(tracer replay /tmp/cpu.trz -f comm=cat -f openat.pathname=/etc/passwd --count)
    check "what runs before, meanwhile and afterwards is recorded" 3 "$opened"
    check "what runs on it afterwards is recorded" 1 "$(tracer replay /tmp/cpu.trz -f comm=id -f event=sched_process_exit --count)"
    check "no event was lost for it" 0 "$(tracer info /tmp/cpu.trz | grep -c 'cpu without buffer')"
    tracer verify /tmp/cpu.trz > /dev/null; check "its capture is whole" 0 $?
fi

# The host sleeps, as far as a machine without firmware can: all processes are frozen, devices and CPUs go through their
# part of it, and five seconds later it wakes (pm_test).
if grep -qw freeze /sys/power/state 2> /dev/null && [ -w /sys/power/pm_test ]; then
    echo core > /sys/power/pm_test 2> /dev/null || echo processors > /sys/power/pm_test 2> /dev/null
    sed 's/^/     pm_test: /' /sys/power/pm_test
    tracer record -o /tmp/sleep.trz -- sh -c '
        cat /etc/passwd; date +%s > /tmp/before; echo freeze > /sys/power/state; echo $? > /tmp/slept
        date +%s > /tmp/after; cat /etc/passwd; id' > /dev/null 2> /tmp/sleep.err
    check "a host that sleeps is recorded" 0 $?
    check "it slept" 0 "$(cat /tmp/slept)"
    at_least "for some seconds" 3 $(($(cat /tmp/after) - $(cat /tmp/before)))
    opened=$(tracer replay /tmp/sleep.trz -f comm=cat -f openat.pathname=/etc/passwd --count)
    check "what ran before and afterwards is recorded" 2 "$opened"
    tracer replay /tmp/sleep.trz -f comm=cat -f openat.pathname=/etc/passwd -o json |
        sed 's/.*"timestamp": *\([0-9]*\)[0-9]\{9\},.*/\1/' > /tmp/when
    # By the clock of the wall, as the shell saw it: events before are dated before, those after it after.
    early=$(($(head -1 /tmp/when) - $(cat /tmp/before))); late=$(($(tail -1 /tmp/when) - $(cat /tmp/after)))
    check "what came before is dated before" 1 $((early >= -2 && early <= 1))
    check "what came afterwards is dated afterwards" 1 $((late >= -1 && late <= 2))
    tracer verify /tmp/sleep.trz > /dev/null; check "its capture is whole as well" 0 $?
else
    echo "     this kernel cannot try its sleep (no pm_test), and the alarm of an emulated clock wakes none"
fi

# Arguments at the entry and at the exit are compared.
tracer record --strict -o /tmp/strict.trz -- sh -c 'cat /etc/passwd; ls /; id; dd if=/dev/zero of=/dev/null bs=1 count=200' > /dev/null 2> /tmp/strict.err
check "record --strict passes the exit code on" 0 $?
at_least "its calls are recorded" 200 "$(tracer replay /tmp/strict.trz -f comm=dd -f event=read --count)"
check "names that nobody changed are not marked" 0 "$(tracer replay /tmp/strict.trz -f comm=cat,ls,id,dd -f openat.changed --count)"
