//! Where the kernel keeps what the programs read: one table of types and fields.
//!
//! From it come [`Layout`], the frozen offsets that the recorder fills from the running kernel's BTF; [`FIELDS`], what
//! to look for; and, in the kernel programs, a typed accessor for each field (`task.real_parent() -> Task`).

/// Hands the table to a macro. An entry is `field: kind type = ["path", "older path"]`, where the kind is
///
/// - `num`: a number of exactly this width;
/// - `low`: the low bytes of a number that is at least so wide;
/// - `ptr`: a pointer to another type of the table;
/// - `adr`: a pointer to something else;
/// - `at`: the address of the field itself.
///
/// `or absent` after the paths: the field may be missing, its offset is then [`ABSENT`](crate::abi::layout::ABSENT).
#[macro_export]
macro_rules! kernel_layout {
    ($consumer:ident) => {
        $consumer! {
            Task task TaskLayout "task_struct" {
                pid: num u32 = ["pid"];
                tgid: num u32 = ["tgid"];
                flags: num u32 = ["flags"];
                status: num u32 = ["thread_info.status"] or absent;
                thread_flags: num u64 = ["thread_info.flags"] or absent;
                stack: adr u8 = ["stack"];
                start_boottime: num u64 = ["start_boottime", "real_start_time"];
                real_parent: ptr Task = ["real_parent"];
                group_leader: ptr Task = ["group_leader"];
                cred: ptr Cred = ["cred"];
                nsproxy: ptr NsProxy = ["nsproxy"];
                mm: ptr Mm = ["mm"];
                thread_pid: ptr Pid = ["thread_pid"];
                cgroups: adr u8 = ["cgroups"];
                files: ptr Files = ["files"];
                fs: ptr FsStruct = ["fs"];
                sighand: ptr Sighand = ["sighand"] or absent;
                real_cred: ptr Cred = ["real_cred"];
                signal: ptr Signal = ["signal"];
                exit_code: num u32 = ["exit_code"];
                seccomp_mode: num u32 = ["seccomp.mode"] or absent;
                pending: at u8 = ["pending.signal"] or absent;
                blocked: at u8 = ["blocked"] or absent;
                comm: at u8 = ["comm"];
            }
            Cred cred CredLayout "cred" {
                uid: num u32 = ["uid.val"];
                gid: num u32 = ["gid.val"];
                suid: num u32 = ["suid.val"];
                sgid: num u32 = ["sgid.val"];
                euid: num u32 = ["euid.val"];
                egid: num u32 = ["egid.val"];
                fsuid: num u32 = ["fsuid.val"];
                fsgid: num u32 = ["fsgid.val"];
                securebits: num u32 = ["securebits"];
                cap_inheritable: at u8 = ["cap_inheritable"];
                cap_permitted: at u8 = ["cap_permitted"];
                cap_effective: at u8 = ["cap_effective"];
                cap_bset: at u8 = ["cap_bset"];
                cap_ambient: at u8 = ["cap_ambient"];
                user_ns: ptr UserNs = ["user_ns"];
            }
            NsProxy nsproxy NsProxyLayout "nsproxy" {
                uts_ns: ptr UtsNs = ["uts_ns"];
                ipc_ns: ptr IpcNs = ["ipc_ns"];
                mnt_ns: ptr MntNs = ["mnt_ns"];
                pid_ns_for_children: ptr PidNs = ["pid_ns_for_children"];
                net_ns: ptr Net = ["net_ns"];
                cgroup_ns: ptr CgroupNs = ["cgroup_ns"];
            }
            UtsNs uts_ns UtsNsLayout "uts_namespace" {
                inum: num u32 = ["ns.inum"];
                nodename: at u8 = ["name.nodename"];
            }
            IpcNs ipc_ns IpcNsLayout "ipc_namespace" {
                inum: num u32 = ["ns.inum"] or absent;
            }
            MntNs mnt_ns MntNsLayout "mnt_namespace" {
                inum: num u32 = ["ns.inum"];
            }
            PidNs pid_ns PidNsLayout "pid_namespace" {
                inum: num u32 = ["ns.inum"];
            }
            Net net NetLayout "net" {
                inum: num u32 = ["ns.inum"];
            }
            UserNs user_ns UserNsLayout "user_namespace" {
                inum: num u32 = ["ns.inum"];
            }
            CgroupNs cgroup_ns CgroupNsLayout "cgroup_namespace" {
                inum: num u32 = ["ns.inum"];
            }
            Pid pid PidLayout "pid" {
                level: num u32 = ["level"];
                numbers: at u8 = ["numbers"];
            }
            Upid upid UpidLayout "upid" {
                nr: num u32 = ["nr"];
                ns: ptr PidNs = ["ns"];
            }
            Signal signal SignalLayout "signal_struct" {
                live: num u32 = ["live.counter"];
                flags: num u32 = ["flags"];
                group_exit_code: num u32 = ["group_exit_code"];
            }
            Mm mm MmLayout "mm_struct" {
                exe_file: ptr File = ["exe_file"];
                arg_start: num u64 = ["arg_start"];
                arg_end: num u64 = ["arg_end"];
                env_start: num u64 = ["env_start"];
                env_end: num u64 = ["env_end"];
            }
            Files files FilesLayout "files_struct" {
                fdt: ptr FdTable = ["fdt"];
                own: at u8 = ["fd_array"];
            }
            FsStruct fs_struct FsStructLayout "fs_struct" {
                root_mnt: ptr VfsMount = ["root.mnt"];
                pwd_mnt: ptr VfsMount = ["pwd.mnt"];
                pwd_dentry: ptr Dentry = ["pwd.dentry"];
            }
            FdTable fdtable FdTableLayout "fdtable" {
                max_fds: num u32 = ["max_fds"];
                fd: adr u8 = ["fd"];
            }
            File file FileLayout "file" {
                mnt: ptr VfsMount = ["f_path.mnt", "__f_path.mnt"];
                dentry: ptr Dentry = ["f_path.dentry", "__f_path.dentry"];
                inode: ptr Inode = ["f_inode"];
                flags: num u32 = ["f_flags"];
                mode: num u32 = ["f_mode"];
                private_data: adr u8 = ["private_data"];
                pos: num u64 = ["f_pos"];
            }
            Path path PathLayout "path" {
                mnt: ptr VfsMount = ["mnt"];
                dentry: ptr Dentry = ["dentry"];
            }
            Dentry dentry DentryLayout "dentry" {
                hashed: num u64 = ["d_hash.pprev"];
                parent: ptr Dentry = ["d_parent"];
                name_hash: num u32 = ["d_name.hash", "__d_name.hash"];
                name: adr u8 = ["d_name.name", "__d_name.name"];
                inode: ptr Inode = ["d_inode"];
                sb: ptr SuperBlock = ["d_sb"];
            }
            Inode inode InodeLayout "inode" {
                ino: num u64 = ["i_ino"];
                mode: num u16 = ["i_mode"];
                sb: ptr SuperBlock = ["i_sb"];
                ctime_sec: num u64 = ["i_ctime_sec", "__i_ctime.tv_sec", "i_ctime.tv_sec"];
                ctime_nsec: low u32 = ["i_ctime_nsec", "__i_ctime.tv_nsec", "i_ctime.tv_nsec"];
                behind: at u8 = ["+"];
            }
            SuperBlock super_block SuperBlockLayout "super_block" {
                dev: num u32 = ["s_dev"];
                magic: num u64 = ["s_magic"];
                root: ptr Dentry = ["s_root"];
                kind: ptr FsType = ["s_type"];
                mounts: at u8 = ["s_mounts"];
            }
            FsType fs_type FsTypeLayout "file_system_type" {
                name: adr u8 = ["name"];
            }
            VfsMount vfsmount VfsMountLayout "vfsmount" {
                root: ptr Dentry = ["mnt_root"];
                sb: ptr SuperBlock = ["mnt_sb"];
            }
            Mount mount MountLayout "mount" {
                mnt: at u8 = ["mnt"];
                parent: ptr Mount = ["mnt_parent"];
                mountpoint: ptr Dentry = ["mnt_mountpoint"];
                instance: at u8 = ["mnt_instance"] or absent;
            }
            Bprm bprm BprmLayout "linux_binprm" {
                file: ptr File = ["file"];
                filename: adr u8 = ["filename"];
                interp: adr u8 = ["interp"];
            }
            Vma vma VmaLayout "vm_area_struct" {
                start: num u64 = ["vm_start"];
                end: num u64 = ["vm_end"];
                flags: num u64 = ["vm_flags"];
                file: ptr File = ["vm_file"];
            }
            Sighand sighand SighandLayout "sighand_struct" {
                actions: at u8 = ["action"] or absent;
            }
            BpfMap bpf_map BpfMapLayout "bpf_map" {
                id: num u32 = ["id"] or absent;
                name: at u8 = ["name"] or absent;
            }
            BpfProg bpf_prog BpfProgLayout "bpf_prog" {
                kind: num u32 = ["type"] or absent;
                aux: ptr BpfProgAux = ["aux"] or absent;
            }
            BpfProgAux bpf_prog_aux BpfProgAuxLayout "bpf_prog_aux" {
                id: num u32 = ["id"] or absent;
                name: at u8 = ["name"] or absent;
            }
            Kprobe kprobe KprobeLayout "kprobe" {
                symbol_name: adr u8 = ["symbol_name"] or absent;
                pre_handler: adr u8 = ["pre_handler"] or absent;
                post_handler: adr u8 = ["post_handler"] or absent;
            }
            Device device DeviceLayout "device" {
                name: adr u8 = ["kobj.name"];
                init_name: adr u8 = ["init_name"] or absent;
                parent: ptr Device = ["parent"];
            }
            UserModeHelper usermode_helper UserModeHelperLayout "subprocess_info" {
                path: adr u8 = ["path"] or absent;
                argv: adr u8 = ["argv"] or absent;
                envp: adr u8 = ["envp"] or absent;
            }
            IoRequest io_kiocb IoRequestLayout "io_kiocb" {
                opcode: num u8 = ["opcode"] or absent;
                flags: low u32 = ["flags"] or absent;
                user_data: num u64 = ["cqe.user_data", "user_data"] or absent;
                fd: num u32 = ["cqe.fd"] or absent;
                ring: ptr IoRing = ["ctx"] or absent;
            }
            IoRing io_ring_ctx IoRingLayout "io_ring_ctx" {
                flags: num u32 = ["flags"] or absent;
            }
            FileName filename FileNameLayout "filename" {
                name: adr u8 = ["name"];
            }
            IoOpen io_open IoOpenLayout "io_open" {
                dfd: num u32 = ["dfd"] or absent;
                file_slot: num u32 = ["file_slot"] or absent;
                filename: ptr FileName = ["filename"] or absent;
                flags: num u64 = ["how.flags"] or absent;
                mode: num u64 = ["how.mode"] or absent;
            }
            IoStatx io_statx IoStatxLayout "io_statx" {
                dfd: num u32 = ["dfd"] or absent;
                flags: num u32 = ["flags"] or absent;
                filename: ptr FileName = ["filename"] or absent;
            }
            IoUnlink io_unlink IoUnlinkLayout "io_unlink" {
                dfd: num u32 = ["dfd"] or absent;
                flags: num u32 = ["flags"] or absent;
                filename: ptr FileName = ["filename"] or absent;
            }
            IoMkdir io_mkdir IoMkdirLayout "io_mkdir" {
                dfd: num u32 = ["dfd"] or absent;
                mode: num u16 = ["mode"] or absent;
                filename: ptr FileName = ["filename"] or absent;
            }
            IoRename io_rename IoRenameLayout "io_rename" {
                old_dfd: num u32 = ["old_dfd"] or absent;
                new_dfd: num u32 = ["new_dfd"] or absent;
                oldpath: ptr FileName = ["oldpath"] or absent;
                newpath: ptr FileName = ["newpath"] or absent;
                flags: num u32 = ["flags"] or absent;
            }
            IoLink io_link IoLinkLayout "io_link" {
                old_dfd: num u32 = ["old_dfd"] or absent;
                new_dfd: num u32 = ["new_dfd"] or absent;
                oldpath: ptr FileName = ["oldpath"] or absent;
                newpath: ptr FileName = ["newpath"] or absent;
                flags: num u32 = ["flags"] or absent;
            }
            IoConnect io_connect IoConnectLayout "io_connect" {
                addr: adr u8 = ["addr"] or absent;
                addr_len: num u32 = ["addr_len"] or absent;
            }
            IoClose io_close IoCloseLayout "io_close" {
                fd: num u32 = ["fd"] or absent;
            }
            Pipe pipe PipeLayout "pipe_inode_info" {
                head: num u32 = ["head"] or absent;
                ring_size: num u32 = ["ring_size"] or absent;
                buffers: adr u8 = ["bufs"] or absent;
            }
            Cgroup cgroup CgroupLayout "cgroup" {
                root: ptr CgroupRoot = ["root"];
                kn: ptr KernfsNode = ["kn"];
            }
            CssSet css_set CssSetLayout "css_set" {
                dfl_cgrp: ptr Cgroup = ["dfl_cgrp"];
            }
            CgroupRoot cgroup_root CgroupRootLayout "cgroup_root" {
                hierarchy_id: num u32 = ["hierarchy_id"];
            }
            KernfsNode kernfs_node KernfsNodeLayout "kernfs_node" {
                id: num u64 = ["id"];
            }
            Sock sock SockLayout "sock" {
                family: num u16 = ["__sk_common.skc_family"];
                state: num u8 = ["__sk_common.skc_state"];
                protocol: num u16 = ["sk_protocol"];
                addresses: num u64 = ["__sk_common.skc_addrpair"];
                ports: num u32 = ["__sk_common.skc_portpair"];
                cookie: num u64 = ["__sk_common.skc_cookie.counter"];
                net: adr u8 = ["__sk_common.skc_net.net"];
                num: num u16 = ["__sk_common.skc_num"];
                dport: num u16 = ["__sk_common.skc_dport"];
                daddr: num u32 = ["__sk_common.skc_daddr"];
                rcv_saddr: num u32 = ["__sk_common.skc_rcv_saddr"];
                v6_daddr: at u8 = ["__sk_common.skc_v6_daddr"] or absent;
                v6_rcv_saddr: at u8 = ["__sk_common.skc_v6_rcv_saddr"] or absent;
            }
            Socket socket SocketLayout "socket" {
                sk: ptr Sock = ["sk"];
                kind: num u16 = ["type"];
            }
            InetSock inet_sock InetSockLayout "inet_sock" {
                sport: num u16 = ["inet_sport"];
            }
            UnixSock unix_sock UnixSockLayout "unix_sock" {
                addr: ptr UnixAddress = ["addr"] or absent;
                peer: ptr UnixSock = ["peer"] or absent;
            }
            UnixAddress unix_address UnixAddressLayout "unix_address" {
                length: num u32 = ["len"] or absent;
                name: at u8 = ["name"] or absent;
            }
            Module module ModuleLayout "module" {
                list: at u8 = ["list"] or absent;
                name: at u8 = ["name"] or absent;
                version: adr u8 = ["version"] or absent;
                srcversion: adr u8 = ["srcversion"] or absent;
            }
            KernelSiginfo siginfo KernelSiginfoLayout "kernel_siginfo" {
                code: num u32 = ["si_code"];
            }
        }
    };
}

/// Offset of a field that the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// One field of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The kernel's name of the structure.
    pub of: &'static str,
    pub name: &'static str,
    /// Ways to it, the newest kernel's first; members by dots, anonymous ones looked through. `+` is the first byte behind
    /// the structure, where those that begin with it go on.
    pub paths: &'static [&'static str],
    pub required: bool,
    pub width: Width,
}

/// What the field must be for its offset to be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// Exactly so many bytes.
    Exactly(u32),
    AtLeast(u32),
    Any,
}

macro_rules! width {
    (num $type:ident) => {
        Width::Exactly(core::mem::size_of::<$type>() as u32)
    };
    (low $type:ident) => {
        Width::AtLeast(core::mem::size_of::<$type>() as u32)
    };
    (ptr $type:ident) => {
        Width::Exactly(8)
    };
    (adr $type:ident) => {
        Width::Exactly(8)
    };
    (at $type:ident) => {
        Width::Any
    };
}

macro_rules! required {
    () => {
        true
    };
    (absent) => {
        false
    };
}

macro_rules! layout {
    ($($type:ident $place:ident $layout:ident $of:literal {
        $($field:ident : $kind:ident $what:ident = [$($path:literal),+] $(or $optional:ident)? ;)*
    })*) => {
        $(
            #[doc = concat!("Offsets in `struct ", $of, "`.")]
            #[derive(Clone, Copy, Debug, Default)]
            #[repr(C)]
            pub struct $layout { $(pub $field: u32,)* }
        )*

        /// Offsets of all fields, in the order of [`FIELDS`].
        #[derive(Clone, Copy, Debug, Default)]
        #[repr(C)]
        pub struct Layout { $(pub $place: $layout,)* }

        impl Layout {
            /// As the object is compiled; the recorder replaces it.
            pub const UNRESOLVED: Layout = Layout { $($place: $layout { $($field: 0,)* },)* };
        }

        /// All fields, in the order of [`Layout`].
        pub const FIELDS: &[Field] = &[$($(
            Field {
                of: $of,
                name: stringify!($field),
                paths: &[$($path),+],
                required: required!($($optional)?),
                width: width!($kind $what),
            },
        )*)*];
    };
}

kernel_layout!(layout);

const _: () = assert!(core::mem::size_of::<Layout>() == 4 * FIELDS.len());
