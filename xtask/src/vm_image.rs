//! The first file system of a test machine: BusyBox, chosen programs of this host with their libraries, and a payload.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{shell, vm_arch::Arch, vm_kernel};

/// Mounts what a recorder needs, runs the payload, says its exit code on the console, and sends `/out` to the second
/// serial line.
const INIT: &str = r#"#!/busybox/sh
/busybox/mkdir -p /proc /sys /dev /tmp /run /out /root
export PATH=/usr/bin:/usr/sbin:/busybox HOME=/root
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp; mount -t tmpfs out /out
chmod 1777 /tmp
mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm
mount -t cgroup2 cg /sys/fs/cgroup; mount -t tracefs tr /sys/kernel/tracing 2>/dev/null
mount -t debugfs debug /sys/kernel/debug 2>/dev/null; mount -t bpf bpf /sys/fs/bpf; mount -t securityfs se /sys/kernel/security
ip link set lo up; hostname debian
echo "VM-INIT $(uname -r) up=$(cut -d' ' -f1 /proc/uptime)"
cd /root; /busybox/sh /payload/run; code=$?
if [ -e /dev/ttyS1 ]; then stty -F /dev/ttyS1 raw -echo; tar -C /out -cf /dev/ttyS1 .; fi
echo "VM-EXIT $code"; sync; poweroff -f
"#;

/// A root folder under construction.
pub struct Image {
    arch: Arch,
    root: TempDir,
    copied: BTreeSet<PathBuf>,
}

impl Image {
    pub fn new(arch: Arch) -> Result<Image> {
        let root = tempfile::tempdir()?;
        for dir in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "busybox", "etc", "payload"] {
            fs::create_dir_all(root.path().join(dir))?;
        }
        for (link, target) in
            [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")]
        {
            symlink(target, root.path().join(link))?;
        }
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        )?;
        fs::write(root.path().join("etc/group"), "root:x:0:\nalice:x:1000:\nnogroup:x:65534:\n")?;
        let mut image = Image { arch, root, copied: BTreeSet::new() };
        image.add_busybox()?;
        image.file("init", INIT.as_bytes(), 0o755)?;
        Ok(image)
    }

    fn add_busybox(&mut self) -> Result<()> {
        let busybox = which("busybox").context("install busybox-static")?;
        let dir = self.root.path().join("busybox");
        self.copy(&self.busybox()?, "busybox/busybox")?;
        // Debian's has the same applets everywhere.
        for applet in shell::text(Command::new(&busybox).arg("--list"))?.lines() {
            if applet != "busybox" {
                symlink("busybox", dir.join(applet))?;
            }
        }
        Ok(())
    }

    /// The machine's own BusyBox.
    fn busybox(&self) -> Result<PathBuf> {
        match self.arch {
            Arch::X86_64 => which("busybox").context("install busybox-static"),
            Arch::Aarch64 => {
                vm_kernel::file_of_package(self.arch, "busybox-static/bookworm", "*/bin/busybox")
            }
        }
    }

    /// Writes a file of the given content.
    pub fn file(&mut self, path: &str, content: &[u8], mode: u32) -> Result<()> {
        let at = self.root.path().join(path);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&at, content)?;
        fs::set_permissions(&at, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    /// Copies a file of this host to a path of the machine.
    pub fn copy(&mut self, from: &Path, to: &str) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.file(to, &content, 0o755)
    }

    /// Copies a program of this host to /usr/bin, with the libraries that it is linked to.
    pub fn program(&mut self, name: &str) -> Result<()> {
        if self.arch != Arch::X86_64 {
            // There is none of this host's that it can run.
            let busybox = self.busybox()?;
            return self.copy(&busybox, &format!("usr/bin/{name}"));
        }
        let path = which(name).with_context(|| format!("this host has no {name}: install it"))?;
        self.linked(&path, &format!("usr/bin/{name}"))
    }

    /// Copies a program of this host to `to`, with the libraries that it is linked to.
    pub fn linked(&mut self, path: &Path, to: &str) -> Result<()> {
        self.copy(path, to)?;
        // ldd prints "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)" and "/lib64/ld-linux-x86-64.so.2 (0x...)".
        let Ok(listing) = shell::text(Command::new("ldd").arg(path)) else { return Ok(()) };
        for word in listing.split_whitespace().filter(|word| word.starts_with('/')) {
            let library = PathBuf::from(word);
            if self.copied.insert(library.clone()) {
                let to = word.strip_prefix("/usr").unwrap_or(word);
                self.copy(&library, &format!("usr{to}"))?;
            }
        }
        Ok(())
    }

    /// Packs everything into a compressed initramfs at `path`.
    pub fn pack(&self, path: &Path) -> Result<()> {
        shell::run(
            Command::new("sh")
                .current_dir(self.root.path())
                .args(["-c", "find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > \"$1\"", "sh"])
                .arg(path),
        )
    }
}

fn which(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
}
