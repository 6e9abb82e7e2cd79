//! Where the fields of processes, signals, queues and the machine stand.

use super::field::Form::{I16, I32, I64, Pointer, Struct, Text, U16, U32, U64};
use super::field::{Field, field};
use crate::consts::Names;
use crate::structs::StructKind;

/// The fields of a structure; none for what is shown in another way.
pub(super) const fn of(kind: StructKind) -> &'static [Field] {
    match kind {
        StructKind::Rlimit => {
            const {
                &[
                    field("rlim_cur", 0, U64).named(Names::RlimitValue),
                    field("rlim_max", 8, U64).named(Names::RlimitValue),
                ]
            }
        }
        StructKind::Rlimit64 => {
            const {
                &[
                    field("rlim_cur", 0, U64).named(Names::RlimitValue),
                    field("rlim_max", 8, U64).named(Names::RlimitValue),
                ]
            }
        }
        StructKind::Rusage => {
            const {
                &[
                    field("ru_utime", 0, Struct(StructKind::Timeval)),
                    field("ru_stime", 16, Struct(StructKind::Timeval)),
                    field("ru_maxrss", 32, I64),
                    field("ru_ixrss", 40, I64),
                    field("ru_idrss", 48, I64),
                    field("ru_isrss", 56, I64),
                    field("ru_minflt", 64, I64),
                    field("ru_majflt", 72, I64),
                    field("ru_nswap", 80, I64),
                    field("ru_inblock", 88, I64),
                    field("ru_oublock", 96, I64),
                    field("ru_msgsnd", 104, I64),
                    field("ru_msgrcv", 112, I64),
                    field("ru_nsignals", 120, I64),
                    field("ru_nvcsw", 128, I64),
                    field("ru_nivcsw", 136, I64),
                ]
            }
        }
        StructKind::SchedParam => const { &[field("sched_priority", 0, I32)] },
        StructKind::SchedAttr => {
            const {
                &[
                    field("size", 0, U32),
                    field("sched_policy", 4, U32).named(Names::SchedPolicy),
                    field("sched_flags", 8, U64),
                    field("sched_nice", 16, I32),
                    field("sched_priority", 20, U32),
                    field("sched_runtime", 24, U64),
                    field("sched_deadline", 32, U64),
                    field("sched_period", 40, U64),
                    field("sched_util_min", 48, U32),
                    field("sched_util_max", 52, U32),
                ]
            }
        }
        StructKind::CloneArgs => {
            const {
                &[
                    field("flags", 0, U64).named(Names::CloneFlags),
                    field("pidfd", 8, Pointer),
                    field("child_tid", 16, Pointer),
                    field("parent_tid", 24, Pointer),
                    field("exit_signal", 32, U64).named(Names::Signal),
                    field("stack", 40, Pointer),
                    field("stack_size", 48, U64),
                    field("tls", 56, Pointer),
                    field("set_tid", 64, Pointer),
                    field("set_tid_size", 72, U64),
                    field("cgroup", 80, U64),
                ]
            }
        }
        StructKind::CapHeader => const { &[field("version", 0, U32), field("pid", 4, I32)] },
        StructKind::RobustListHead => {
            const {
                &[
                    field("list", 0, Pointer),
                    field("futex_offset", 8, I64),
                    field("list_op_pending", 16, Pointer),
                ]
            }
        }
        StructKind::FutexWaitv => {
            const {
                &[
                    field("val", 0, U64),
                    field("uaddr", 8, Pointer),
                    field("flags", 16, U32).named(Names::Futex2Flags),
                ]
            }
        }
        StructKind::Rseq => {
            const {
                &[
                    field("cpu_id_start", 0, U32),
                    field("cpu_id", 4, U32),
                    field("rseq_cs", 8, Pointer),
                    field("flags", 16, U32),
                ]
            }
        }
        StructKind::UserDesc => {
            const {
                &[
                    field("entry_number", 0, I32),
                    field("base_addr", 4, U32),
                    field("limit", 8, U32),
                    field("flags", 12, U32),
                ]
            }
        }
        StructKind::LandlockRuleset => {
            const {
                &[
                    field("handled_access_fs", 0, U64),
                    field("handled_access_net", 8, U64),
                    field("scoped", 16, U64),
                ]
            }
        }
        StructKind::SigAction => {
            const {
                &[
                    field("sa_handler", 0, Pointer),
                    field("sa_flags", 8, U64).named(Names::SaFlags),
                    field("sa_restorer", 16, Pointer),
                    field("sa_mask", 24, Struct(StructKind::SigSet)),
                ]
            }
        }
        StructKind::SigStack => {
            const { &[field("ss_sp", 0, Pointer), field("ss_flags", 8, I32), field("ss_size", 16, U64)] }
        }
        StructKind::SigEvent => {
            const {
                &[
                    field("sigev_value", 0, Pointer),
                    field("sigev_signo", 8, I32).named(Names::Signal),
                    field("sigev_notify", 12, I32).named(Names::SigevNotify),
                    field("sigev_tid", 16, I32),
                ]
            }
        }
        StructKind::SigSetArg => const { &[field("ss", 0, Pointer), field("ss_len", 8, U64)] },
        StructKind::Sembuf => {
            const { &[field("sem_num", 0, U16), field("sem_op", 2, I16), field("sem_flg", 4, I16)] }
        }
        StructKind::ShmidDs => {
            const {
                &[
                    field("key", 0, I32),
                    field("uid", 4, U32),
                    field("gid", 8, U32),
                    field("cuid", 12, U32),
                    field("cgid", 16, U32),
                    field("mode", 20, U32),
                    field("seq", 24, U16),
                    field("shm_segsz", 48, U64),
                    field("shm_atime", 56, I64),
                    field("shm_dtime", 64, I64),
                    field("shm_ctime", 72, I64),
                    field("shm_cpid", 80, I32),
                    field("shm_lpid", 84, I32),
                    field("shm_nattch", 88, U64),
                ]
            }
        }
        StructKind::SemidDs => {
            const {
                &[
                    field("key", 0, I32),
                    field("uid", 4, U32),
                    field("gid", 8, U32),
                    field("cuid", 12, U32),
                    field("cgid", 16, U32),
                    field("mode", 20, U32),
                    field("seq", 24, U16),
                    field("sem_otime", 48, I64),
                    field("sem_ctime", 64, I64),
                    field("sem_nsems", 80, U64),
                ]
            }
        }
        StructKind::MsqidDs => {
            const {
                &[
                    field("key", 0, I32),
                    field("uid", 4, U32),
                    field("gid", 8, U32),
                    field("cuid", 12, U32),
                    field("cgid", 16, U32),
                    field("mode", 20, U32),
                    field("seq", 24, U16),
                    field("msg_stime", 48, I64),
                    field("msg_rtime", 56, I64),
                    field("msg_ctime", 64, I64),
                    field("msg_cbytes", 72, U64),
                    field("msg_qnum", 80, U64),
                    field("msg_qbytes", 88, U64),
                    field("msg_lspid", 96, I32),
                    field("msg_lrpid", 100, I32),
                ]
            }
        }
        StructKind::MqAttr => {
            const {
                &[
                    field("mq_flags", 0, I64).named(Names::OpenFlags),
                    field("mq_maxmsg", 8, I64),
                    field("mq_msgsize", 16, I64),
                    field("mq_curmsgs", 24, I64),
                ]
            }
        }
        StructKind::Utsname => {
            const {
                &[
                    field("sysname", 0, Text(65)),
                    field("nodename", 65, Text(65)),
                    field("release", 130, Text(65)),
                    field("version", 195, Text(65)),
                    field("machine", 260, Text(65)),
                    field("domainname", 325, Text(65)),
                ]
            }
        }
        StructKind::Sysinfo => {
            const {
                &[
                    field("uptime", 0, I64),
                    field("load1", 8, U64),
                    field("load5", 16, U64),
                    field("load15", 24, U64),
                    field("totalram", 32, U64),
                    field("freeram", 40, U64),
                    field("sharedram", 48, U64),
                    field("bufferram", 56, U64),
                    field("totalswap", 64, U64),
                    field("freeswap", 72, U64),
                    field("procs", 80, U16),
                    field("totalhigh", 88, U64),
                    field("freehigh", 96, U64),
                    field("mem_unit", 104, U32),
                ]
            }
        }
        StructKind::KexecSegment => {
            const {
                &[
                    field("buf", 0, Pointer),
                    field("bufsz", 8, U64),
                    field("mem", 16, Pointer),
                    field("memsz", 24, U64),
                ]
            }
        }
        StructKind::PerfEventAttr => {
            const {
                &[
                    field("type", 0, U32).named(Names::PerfType),
                    field("size", 4, U32),
                    field("config", 8, U64),
                    field("sample_period", 16, U64),
                    field("sample_type", 24, U64),
                    field("read_format", 32, U64),
                    field("flags", 40, U64),
                    field("wakeup_events", 48, U32),
                    field("bp_type", 52, U32),
                    field("config1", 56, U64),
                    field("config2", 64, U64),
                    field("branch_sample_type", 72, U64),
                    field("sample_regs_user", 80, U64),
                    field("sample_stack_user", 88, U32),
                    field("clockid", 92, I32),
                    field("sample_regs_intr", 96, U64),
                    field("aux_watermark", 104, U32),
                    field("sample_max_stack", 108, U16),
                    field("aux_sample_size", 112, U32),
                    field("sig_data", 120, U64),
                    field("config3", 128, U64),
                ]
            }
        }
        StructKind::Linger => const { &[field("l_onoff", 0, I32), field("l_linger", 4, I32)] },
        StructKind::Ucred => const { &[field("pid", 0, I32), field("uid", 4, U32), field("gid", 8, U32)] },
        StructKind::SockFprog => const { &[field("len", 0, U16), field("filter", 8, Pointer)] },
        StructKind::SlimCred => {
            const {
                &[
                    field("Uid", 0, U32),
                    field("Gid", 4, U32),
                    field("Suid", 8, U32),
                    field("Sgid", 12, U32),
                    field("Euid", 16, U32),
                    field("Egid", 20, U32),
                    field("Fsuid", 24, U32),
                    field("Fsgid", 28, U32),
                    field("UserNamespace", 32, U32),
                    field("SecureBits", 36, U32),
                    field("CapInheritable", 40, U64),
                    field("CapPermitted", 48, U64),
                    field("CapEffective", 56, U64),
                    field("CapBounding", 64, U64),
                    field("CapAmbient", 72, U64),
                ]
            }
        }
        _ => &[],
    }
}

/// The fields of `union bpf_attr` for a command; none for those that are not told apart.
pub(super) const fn bpf(command: u64) -> &'static [Field] {
    match command {
        // BPF_MAP_CREATE
        0 => {
            const {
                &[
                    field("map_type", 0, U32).named(Names::BpfMapType),
                    field("key_size", 4, U32),
                    field("value_size", 8, U32),
                    field("max_entries", 12, U32),
                    field("map_flags", 16, U32),
                    field("inner_map_fd", 20, U32),
                    field("numa_node", 24, U32),
                    field("map_name", 28, Text(16)),
                    field("map_ifindex", 44, U32),
                    field("btf_fd", 48, U32),
                ]
            }
        }
        // BPF_MAP_LOOKUP_ELEM and the other commands on elements
        1..=4 => {
            const {
                &[
                    field("map_fd", 0, U32),
                    field("key", 8, Pointer),
                    field("value", 16, Pointer),
                    field("flags", 24, U64),
                ]
            }
        }
        // BPF_PROG_LOAD
        5 => {
            const {
                &[
                    field("prog_type", 0, U32).named(Names::BpfProgType),
                    field("insn_cnt", 4, U32),
                    field("insns", 8, Pointer),
                    field("license", 16, Pointer),
                    field("log_level", 24, U32),
                    field("log_size", 28, U32),
                    field("log_buf", 32, Pointer),
                    field("kern_version", 40, U32),
                    field("prog_flags", 44, U32),
                    field("prog_name", 48, Text(16)),
                    field("prog_ifindex", 64, U32),
                    field("expected_attach_type", 68, U32),
                    field("prog_btf_fd", 72, U32),
                ]
            }
        }
        // BPF_OBJ_PIN
        6 | 7 => {
            const { &[field("pathname", 0, Pointer), field("bpf_fd", 8, U32), field("file_flags", 12, U32)] }
        }
        // BPF_PROG_ATTACH
        8 | 9 => {
            const {
                &[
                    field("target_fd", 0, U32),
                    field("attach_bpf_fd", 4, U32),
                    field("attach_type", 8, U32),
                    field("attach_flags", 12, U32),
                ]
            }
        }
        // BPF_RAW_TRACEPOINT_OPEN
        17 => const { &[field("name", 0, Pointer), field("prog_fd", 8, U32)] },
        // BPF_LINK_CREATE
        28 => {
            const {
                &[
                    field("prog_fd", 0, U32),
                    field("target_fd", 4, U32),
                    field("attach_type", 8, U32),
                    field("flags", 12, U32),
                ]
            }
        }
        _ => &[],
    }
}
