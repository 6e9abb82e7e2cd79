//! What maps take of the kernel's memory, as the kernel itself tells it beside each descriptor.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};

use aya::{Ebpf, maps::Map};

/// Of all maps of the programs. What the kernel does not tell is not in it.
pub fn bytes(ebpf: &Ebpf) -> u64 {
    ebpf.maps().filter_map(|(_, map)| of_map(descriptor(map)?)).sum()
}

fn of_map(map: BorrowedFd<'_>) -> Option<u64> {
    let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd())).ok()?;
    read(&told)
}

/// The line `memlock:` of a descriptor's information.
fn read(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

/// Of the kinds of maps that the object has.
fn descriptor(map: &Map) -> Option<BorrowedFd<'_>> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::RingBuf(data) => Some(data.fd().as_fd()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_a_map_takes() {
        let told =
            "pos:\t0\nmap_type:\t2\nmax_entries:\t2\nmap_flags:\t0x400\nmemlock:\t34639872\nmap_id:\t9\n";
        assert_eq!((read(told), read("pos:\t0\n")), (Some(34_639_872), None));
    }
}
