//! Where the fields of times and files stand, as 64-bit Linux lays them out.

use super::field::Form::{Bytes, I16, I32, I64, Pointer, Rest, Struct, Text, U8, U16, U32, U64};
use super::field::{Field, field};
use super::layout_system;
use crate::consts::Names;
use crate::structs::StructKind;

/// The fields of a structure; none for what is shown in another way.
pub(super) const fn of(kind: StructKind) -> &'static [Field] {
    match kind {
        StructKind::Timespec => const { &[field("tv_sec", 0, I64), field("tv_nsec", 8, I64)] },
        StructKind::Timeval => const { &[field("tv_sec", 0, I64), field("tv_usec", 8, I64)] },
        StructKind::Timezone => const { &[field("tz_minuteswest", 0, I32), field("tz_dsttime", 4, I32)] },
        StructKind::Itimerspec => {
            const {
                &[
                    field("it_interval", 0, Struct(StructKind::Timespec)),
                    field("it_value", 16, Struct(StructKind::Timespec)),
                ]
            }
        }
        StructKind::Itimerval => {
            const {
                &[
                    field("it_interval", 0, Struct(StructKind::Timeval)),
                    field("it_value", 16, Struct(StructKind::Timeval)),
                ]
            }
        }
        StructKind::Timex => {
            const {
                &[
                    field("modes", 0, U32),
                    field("offset", 8, I64),
                    field("freq", 16, I64),
                    field("maxerror", 24, I64),
                    field("esterror", 32, I64),
                    field("status", 40, I32),
                    field("constant", 48, I64),
                    field("precision", 56, I64),
                    field("tolerance", 64, I64),
                    field("time", 72, Struct(StructKind::Timeval)),
                    field("tick", 88, I64),
                    field("ppsfreq", 96, I64),
                    field("jitter", 104, I64),
                    field("shift", 112, I32),
                    field("stabil", 120, I64),
                    field("jitcnt", 128, I64),
                    field("calcnt", 136, I64),
                    field("errcnt", 144, I64),
                    field("stbcnt", 152, I64),
                    field("tai", 160, I32),
                ]
            }
        }
        StructKind::Tms => {
            const {
                &[
                    field("tms_utime", 0, I64),
                    field("tms_stime", 8, I64),
                    field("tms_cutime", 16, I64),
                    field("tms_cstime", 24, I64),
                ]
            }
        }
        StructKind::Utimbuf => const { &[field("actime", 0, I64), field("modtime", 8, I64)] },
        StructKind::Timespec32 => const { &[field("tv_sec", 0, I32), field("tv_nsec", 4, I32)] },
        StructKind::Itimerspec32 => {
            const {
                &[
                    field("it_interval", 0, Struct(StructKind::Timespec32)),
                    field("it_value", 8, Struct(StructKind::Timespec32)),
                ]
            }
        }
        StructKind::Stat => {
            const {
                &[
                    field("st_dev", 0, U64),
                    field("st_ino", 8, U64),
                    field("st_mode", 24, U32).named(Names::FileMode),
                    field("st_nlink", 16, U64),
                    field("st_uid", 28, U32),
                    field("st_gid", 32, U32),
                    field("st_rdev", 40, U64),
                    field("st_size", 48, I64),
                    field("st_blksize", 56, I64),
                    field("st_blocks", 64, I64),
                    field("st_atime", 72, I64),
                    field("st_atime_nsec", 80, U64),
                    field("st_mtime", 88, I64),
                    field("st_mtime_nsec", 96, U64),
                    field("st_ctime", 104, I64),
                    field("st_ctime_nsec", 112, U64),
                ]
            }
        }
        StructKind::Statx => {
            const {
                &[
                    field("stx_mask", 0, U32).named(Names::StatxMask),
                    field("stx_blksize", 4, U32),
                    field("stx_attributes", 8, U64),
                    field("stx_nlink", 16, U32),
                    field("stx_uid", 20, U32),
                    field("stx_gid", 24, U32),
                    field("stx_mode", 28, U16).named(Names::FileMode),
                    field("stx_ino", 32, U64),
                    field("stx_size", 40, U64),
                    field("stx_blocks", 48, U64),
                    field("stx_attributes_mask", 56, U64),
                    field("stx_atime", 64, I64),
                    field("stx_atime_nsec", 72, U32),
                    field("stx_btime", 80, I64),
                    field("stx_btime_nsec", 88, U32),
                    field("stx_ctime", 96, I64),
                    field("stx_ctime_nsec", 104, U32),
                    field("stx_mtime", 112, I64),
                    field("stx_mtime_nsec", 120, U32),
                    field("stx_rdev_major", 128, U32),
                    field("stx_rdev_minor", 132, U32),
                    field("stx_dev_major", 136, U32),
                    field("stx_dev_minor", 140, U32),
                    field("stx_mnt_id", 144, U64),
                    field("stx_dio_mem_align", 152, U32),
                    field("stx_dio_offset_align", 156, U32),
                    field("stx_subvol", 160, U64),
                ]
            }
        }
        StructKind::Statfs => {
            const {
                &[
                    field("f_type", 0, I64),
                    field("f_bsize", 8, I64),
                    field("f_blocks", 16, U64),
                    field("f_bfree", 24, U64),
                    field("f_bavail", 32, U64),
                    field("f_files", 40, U64),
                    field("f_ffree", 48, U64),
                    field("f_fsid", 56, U64),
                    field("f_namelen", 64, I64),
                    field("f_frsize", 72, I64),
                    field("f_flags", 80, I64),
                ]
            }
        }
        StructKind::Ustat => {
            const {
                &[
                    field("f_tfree", 0, I32),
                    field("f_tinode", 8, U64),
                    field("f_fname", 16, Text(6)),
                    field("f_fpack", 22, Text(6)),
                ]
            }
        }
        StructKind::OpenHow => {
            const {
                &[
                    field("flags", 0, U64).named(Names::OpenFlags),
                    field("mode", 8, U64).named(Names::FileMode),
                    field("resolve", 16, U64).named(Names::ResolveFlags),
                ]
            }
        }
        StructKind::Flock => {
            const {
                &[
                    field("l_type", 0, I16).named(Names::LockType),
                    field("l_whence", 2, I16).named(Names::Whence),
                    field("l_start", 8, I64),
                    field("l_len", 16, I64),
                    field("l_pid", 24, I32),
                ]
            }
        }
        StructKind::FileHandle => {
            const { &[field("handle_bytes", 0, U32), field("handle_type", 4, I32), field("f_handle", 8, Rest)] }
        }
        StructKind::MountAttr => {
            const {
                &[
                    field("attr_set", 0, U64).named(Names::MountAttrFlags),
                    field("attr_clr", 8, U64).named(Names::MountAttrFlags),
                    field("propagation", 16, U64).named(Names::MountFlags),
                    field("userns_fd", 24, U64),
                ]
            }
        }
        StructKind::XattrArgs => {
            const {
                &[
                    field("value", 0, Pointer),
                    field("size", 8, U32),
                    field("flags", 12, U32).named(Names::XattrFlags),
                ]
            }
        }
        StructKind::FileAttr => {
            const {
                &[
                    field("fa_xflags", 0, U64),
                    field("fa_extsize", 8, U32),
                    field("fa_nextents", 12, U32),
                    field("fa_projid", 16, U32),
                    field("fa_cowextsize", 20, U32),
                ]
            }
        }
        StructKind::MntIdReq => {
            const {
                &[
                    field("size", 0, U32),
                    field("mnt_ns_fd", 4, U32),
                    field("mnt_id", 8, U64),
                    field("param", 16, U64),
                    field("mnt_ns_id", 24, U64),
                ]
            }
        }
        StructKind::NsIdReq => {
            const {
                &[
                    field("size", 0, U32),
                    field("ns_type", 4, U32).named(Names::NamespaceFlags),
                    field("ns_id", 8, U64),
                    field("user_ns_id", 16, U64),
                ]
            }
        }
        StructKind::CachestatRange => const { &[field("off", 0, U64), field("len", 8, U64)] },
        StructKind::Cachestat => {
            const {
                &[
                    field("nr_cache", 0, U64),
                    field("nr_dirty", 8, U64),
                    field("nr_writeback", 16, U64),
                    field("nr_evicted", 24, U64),
                    field("nr_recently_evicted", 32, U64),
                ]
            }
        }
        StructKind::PollFd => {
            const {
                &[
                    field("fd", 0, I32),
                    field("events", 4, U16).named(Names::PollEvents),
                    field("revents", 6, U16).named(Names::PollEvents),
                ]
            }
        }
        StructKind::EpollEvent => {
            const { &[field("events", 0, U32).named(Names::EpollEvents), field("data", 4, U64)] }
        }
        StructKind::Iocb => {
            const {
                &[
                    field("aio_data", 0, U64),
                    field("aio_rw_flags", 12, I32).named(Names::RwFlags),
                    field("aio_lio_opcode", 16, U16),
                    field("aio_reqprio", 18, I16),
                    field("aio_fildes", 20, U32),
                    field("aio_buf", 24, Pointer),
                    field("aio_nbytes", 32, U64),
                    field("aio_offset", 40, I64),
                    field("aio_flags", 56, U32),
                    field("aio_resfd", 60, U32),
                ]
            }
        }
        StructKind::IoEvent => {
            const {
                &[
                    field("data", 0, U64),
                    field("obj", 8, Pointer),
                    field("res", 16, I64),
                    field("res2", 24, I64),
                ]
            }
        }
        StructKind::IoUringParams => {
            const {
                &[
                    field("sq_entries", 0, U32),
                    field("cq_entries", 4, U32),
                    field("flags", 8, U32).named(Names::IoUringSetupFlags),
                    field("sq_thread_cpu", 12, U32),
                    field("sq_thread_idle", 16, U32),
                    field("features", 20, U32),
                    field("wq_fd", 24, U32),
                    field("sq_off", 40, Struct(StructKind::IoSqringOffsets)),
                    field("cq_off", 80, Struct(StructKind::IoCqringOffsets)),
                ]
            }
        }
        StructKind::IoSqringOffsets => {
            const {
                &[
                    field("head", 0, U32),
                    field("tail", 4, U32),
                    field("ring_mask", 8, U32),
                    field("ring_entries", 12, U32),
                    field("flags", 16, U32),
                    field("dropped", 20, U32),
                    field("array", 24, U32),
                    field("user_addr", 32, Pointer),
                ]
            }
        }
        StructKind::IoCqringOffsets => {
            const {
                &[
                    field("head", 0, U32),
                    field("tail", 4, U32),
                    field("ring_mask", 8, U32),
                    field("ring_entries", 12, U32),
                    field("overflow", 16, U32),
                    field("cqes", 20, U32),
                    field("flags", 24, U32),
                    field("user_addr", 32, Pointer),
                ]
            }
        }
        StructKind::Termios => {
            const {
                &[
                    field("c_iflag", 0, U32),
                    field("c_oflag", 4, U32),
                    field("c_cflag", 8, U32),
                    field("c_lflag", 12, U32),
                    field("c_line", 16, U8),
                    field("c_cc", 17, Bytes(19)),
                ]
            }
        }
        StructKind::Winsize => {
            const {
                &[
                    field("ws_row", 0, U16),
                    field("ws_col", 2, U16),
                    field("ws_xpixel", 4, U16),
                    field("ws_ypixel", 6, U16),
                ]
            }
        }
        StructKind::Vector => const { &[field("iov_base", 0, Pointer), field("iov_len", 8, U64)] },
        other => layout_system::of(other),
    }
}
