//! Sockets: making, connecting, sending, receiving.

use super::{arg, call, fd, int, size, uint};
use crate::ArgKind::{Bytes, Mmsghdr, Msghdr, Sockaddr, Struct, Text};
use crate::Len::{Arg, PointedBy, Return, ReturnWithin};
use crate::StructKind::{FdPair, Int, Timespec};
use crate::{Event, Names, Returns, Set, Sets};

const NET: Sets = Sets::of(&[Set::Syscalls, Set::Net]);
const NET_NET_SND_RCV: Sets = Sets::of(&[Set::Syscalls, Set::Net, Set::NetSndRcv]);
const NET_NET_SOCK: Sets = Sets::of(&[Set::Syscalls, Set::Net, Set::NetSock]);

pub(super) const EVENTS: &[Event] = &[
    call(
        41,
        "socket",
        [359, 198],
        NET_NET_SOCK,
        &[
            int("domain").named(Names::Domain),
            int("type").named(Names::SocketType),
            int("protocol").named(Names::IpProtocol),
        ],
    )
    .returns(Returns::Fd),
    call(
        42,
        "connect",
        [362, 203],
        NET_NET_SOCK,
        &[fd("sockfd"), arg("addr", "struct sockaddr*", Sockaddr(Arg(2))), int("addrlen")],
    ),
    call(
        43,
        "accept",
        [-1, 202],
        NET_NET_SOCK,
        &[
            fd("sockfd"),
            arg("addr", "struct sockaddr*", Sockaddr(PointedBy(2))).out(),
            arg("addrlen", "int*", Struct(Int)),
        ],
    )
    .returns(Returns::Fd),
    call(
        44,
        "sendto",
        [369, 206],
        NET_NET_SND_RCV,
        &[
            fd("sockfd"),
            arg("buf", "void*", Bytes(Arg(2))),
            size("len"),
            int("flags").named(Names::MsgFlags),
            arg("dest_addr", "struct sockaddr*", Sockaddr(Arg(5))),
            int("addrlen"),
        ],
    ),
    call(
        45,
        "recvfrom",
        [371, 207],
        NET_NET_SND_RCV,
        &[
            fd("sockfd"),
            arg("buf", "void*", Bytes(ReturnWithin(2))).out(),
            size("len"),
            int("flags").named(Names::MsgFlags),
            arg("src_addr", "struct sockaddr*", Sockaddr(PointedBy(5))).out(),
            arg("addrlen", "int*", Struct(Int)),
        ],
    ),
    call(
        46,
        "sendmsg",
        [370, 211],
        NET_NET_SND_RCV,
        &[fd("sockfd"), arg("msg", "struct msghdr*", Msghdr), int("flags").named(Names::MsgFlags)],
    ),
    call(
        47,
        "recvmsg",
        [372, 212],
        NET_NET_SND_RCV,
        &[fd("sockfd"), arg("msg", "struct msghdr*", Msghdr).out(), int("flags").named(Names::MsgFlags)],
    ),
    call(48, "shutdown", [373, 210], NET_NET_SOCK, &[fd("sockfd"), int("how").named(Names::ShutdownHow)]),
    call(
        49,
        "bind",
        [361, 200],
        NET_NET_SOCK,
        &[fd("sockfd"), arg("addr", "struct sockaddr*", Sockaddr(Arg(2))), int("addrlen")],
    ),
    call(50, "listen", [363, 201], NET_NET_SOCK, &[fd("sockfd"), int("backlog")]),
    call(
        51,
        "getsockname",
        [367, 204],
        NET_NET_SOCK,
        &[
            fd("sockfd"),
            arg("addr", "struct sockaddr*", Sockaddr(PointedBy(2))).out(),
            arg("addrlen", "int*", Struct(Int)),
        ],
    ),
    call(
        52,
        "getpeername",
        [368, 205],
        NET_NET_SOCK,
        &[
            fd("sockfd"),
            arg("addr", "struct sockaddr*", Sockaddr(PointedBy(2))).out(),
            arg("addrlen", "int*", Struct(Int)),
        ],
    ),
    call(
        53,
        "socketpair",
        [360, 199],
        NET_NET_SOCK,
        &[
            int("domain").named(Names::Domain),
            int("type").named(Names::SocketType),
            int("protocol").named(Names::IpProtocol),
            arg("sv", "int[2]", Struct(FdPair)).out(),
        ],
    ),
    call(
        54,
        "setsockopt",
        [366, 208],
        NET_NET_SOCK,
        &[
            fd("sockfd"),
            int("level").named(Names::SocketLevel),
            int("optname").named(Names::SocketOption),
            arg("optval", "const void*", Bytes(Arg(4))),
            int("optlen"),
        ],
    ),
    call(
        55,
        "getsockopt",
        [365, 209],
        NET_NET_SOCK,
        &[
            fd("sockfd"),
            int("level").named(Names::SocketLevel),
            int("optname").named(Names::SocketOption),
            arg("optval", "void*", Bytes(PointedBy(4))).out(),
            arg("optlen", "int*", Struct(Int)),
        ],
    ),
    call(170, "sethostname", [74, 161], NET, &[arg("name", "const char*", Text(Arg(1))), size("len")]),
    call(171, "setdomainname", [121, 162], NET, &[arg("name", "const char*", Text(Arg(1))), size("len")]),
    call(
        288,
        "accept4",
        [364, 242],
        NET_NET_SOCK,
        &[
            fd("sockfd"),
            arg("addr", "struct sockaddr*", Sockaddr(PointedBy(2))).out(),
            arg("addrlen", "int*", Struct(Int)),
            int("flags").named(Names::SocketFlags),
        ],
    )
    .returns(Returns::Fd),
    call(
        299,
        "recvmmsg",
        [417, 243],
        NET_NET_SND_RCV,
        &[
            fd("sockfd"),
            arg("msgvec", "struct mmsghdr*", Mmsghdr(Return)).out(),
            uint("vlen"),
            int("flags").named(Names::MsgFlags),
            arg("timeout", "struct timespec*", Struct(Timespec)),
        ],
    ),
    call(
        307,
        "sendmmsg",
        [345, 269],
        NET_NET_SND_RCV,
        &[
            fd("sockfd"),
            arg("msgvec", "struct mmsghdr*", Mmsghdr(Arg(2))),
            uint("vlen"),
            int("flags").named(Names::MsgFlags),
        ],
    ),
];
