//! Debian's kernels as files, fetched through a package view of our own that leaves the machine's sources alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{shell, vm_arch::Arch};

/// A kernel that the project is tested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// As the user names it: `--kernel 6.1`.
    pub version: &'static str,
    /// The suite whose cloud kernel this is.
    suite: &'static str,
    /// More for the kernel's command line.
    pub append: &'static str,
    /// The suite is past its life and may leave the mirror: then it is skipped, and said so.
    pub may_be_gone: bool,
    /// It takes `preempt=full`: the stress of preemption is run with it as well as with the model that it has by itself.
    pub preempts_fully: bool,
    pub arch: Arch,
}

pub const KERNELS: &[Kernel] = &[
    // 5.10 does not list bpf among its security modules by itself.
    Kernel {
        version: "5.10",
        suite: "bullseye",
        append: "lsm=lockdown,capability,yama,apparmor,bpf",
        may_be_gone: true,
        preempts_fully: false,
        arch: Arch::X86_64,
    },
    Kernel {
        version: "6.1",
        suite: "bookworm",
        append: "",
        may_be_gone: false,
        preempts_fully: true,
        arch: Arch::X86_64,
    },
    Kernel {
        version: "6.12",
        suite: "trixie",
        append: "",
        may_be_gone: false,
        preempts_fully: true,
        arch: Arch::X86_64,
    },
    Kernel {
        version: "6.18",
        suite: "trixie-backports",
        append: "",
        may_be_gone: false,
        preempts_fully: true,
        arch: Arch::X86_64,
    },
    // Programs on tracepoints can be preempted from 7.0 on.
    Kernel {
        version: "7.3",
        suite: "trixie-backports",
        append: "",
        may_be_gone: false,
        preempts_fully: true,
        arch: Arch::X86_64,
    },
];

/// Those of aarch64. Kernels before 5.18 lack what the programs publish records with there.
const OF_AARCH64: &[Kernel] = &[
    Kernel {
        version: "6.1",
        suite: "bookworm",
        append: "",
        may_be_gone: false,
        preempts_fully: true,
        arch: Arch::Aarch64,
    },
    Kernel {
        version: "6.12",
        suite: "trixie",
        append: "",
        may_be_gone: false,
        preempts_fully: true,
        arch: Arch::Aarch64,
    },
];

/// The kernels of an architecture.
pub fn of(arch: Arch) -> Vec<Kernel> {
    match arch {
        Arch::X86_64 => KERNELS.to_vec(),
        Arch::Aarch64 => OF_AARCH64.to_vec(),
    }
}

/// Packages that hold a version when its suite has moved on to a newer kernel.
const PINNED: &[(&str, &str)] =
    &[("6.18", "linux-image-6.18.15+deb13-cloud-amd64"), ("7.3", "linux-image-7.3.4+deb13-cloud-amd64")];

pub fn by_version(arch: Arch, version: &str) -> Result<Kernel> {
    of(arch).into_iter().find(|kernel| kernel.version == version).with_context(|| {
        let known: Vec<_> = of(arch).iter().map(|kernel| kernel.version).collect();
        format!("unknown kernel {version:?}; known are {}", known.join(", "))
    })
}

pub fn cache() -> Result<PathBuf> {
    let dir = shell::root().join("target/vm");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

impl Kernel {
    /// Where its files are kept.
    pub fn folder(self) -> Result<PathBuf> {
        let suffix = if self.arch == Arch::X86_64 { "" } else { "-arm64" };
        Ok(cache()?.join(format!("linux-{}{suffix}", self.version)))
    }

    /// The path of its vmlinuz, fetched when it is not in the cache yet.
    pub fn image(self) -> Result<PathBuf> {
        let image = self.folder()?.join("vmlinuz");
        if !image.exists() {
            let apt = PrivateApt::open(&cache()?.join("apt"))?;
            let package = apt.with_image(self.package(&apt)?)?;
            apt.extract(self.arch, &package, "*/vmlinuz*", &image)?;
        }
        Ok(image)
    }

    /// The exact package: the suite's newest of this version, or the pinned one.
    fn package(self, apt: &PrivateApt) -> Result<String> {
        let arch = self.arch.debian();
        let flavour = format!("cloud-{arch}");
        let show = shell::text(
            apt.command("apt-cache")
                .args(["show", &format!("linux-image-cloud-{arch}:{arch}/{}", self.suite)]),
        );
        let newest = show.ok().and_then(|text| {
            text.lines()
                .filter_map(|line| line.strip_prefix("Depends: "))
                .flat_map(|list| list.split([',', ' ']))
                .find(|name| name.starts_with("linux-image-") && name.ends_with(&flavour))
                .map(str::to_owned)
        });
        let wanted = format!("linux-image-{}.", self.version);
        match newest {
            Some(name) if name.starts_with(&wanted) => Ok(name),
            other => match PINNED.iter().find(|(version, _)| *version == self.version) {
                Some((_, name)) if self.arch == Arch::X86_64 => Ok((*name).to_owned()),
                _ => bail!("{} has no {} cloud kernel (it has {other:?})", self.suite, self.version),
            },
        }
    }
}

/// A file of one of Debian's packages, from the cache when it is there.
pub fn file_of_package(arch: Arch, package: &str, pattern: &str) -> Result<PathBuf> {
    let name = package.split('/').next().unwrap_or(package);
    let path = cache()?.join(format!("{name}-{}", arch.debian())).join("file");
    if !path.exists() {
        PrivateApt::open(&cache()?.join("apt"))?.extract(arch, package, pattern, &path)?;
    }
    Ok(path)
}

/// `apt-get` and `apt-cache` over all suites that have one of our kernels.
struct PrivateApt {
    config: PathBuf,
}

impl PrivateApt {
    fn open(dir: &Path) -> Result<PrivateApt> {
        for sub in ["none", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        let targets = shell::text(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
            "Codename: bookworm",
        ]))?;
        let uri = targets.lines().next().context("apt knows no bookworm archive: run this on Debian 12")?;
        fs::write(
            dir.join("vm.sources"),
            format!(
                "Types: deb\nURIs: {uri}\nSuites: bullseye bookworm bookworm-backports trixie trixie-backports\n\
                 Components: main\n"
            ),
        )?;
        let at = dir.display();
        let config = dir.join("apt.conf");
        fs::write(
            &config,
            format!(
                "Dir::Etc::sourcelist \"{at}/vm.sources\";\nDir::Etc::sourceparts \"{at}/none\";\n\
                 Dir::Etc::preferencesparts \"{at}/none\";\nDir::State::lists \"{at}/lists\";\nDir::Cache \"{at}/cache\";\n\
                 APT::Architectures {{ \"amd64\"; \"arm64\"; }};\n\
                 APT::Sandbox::User \"root\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n"
            ),
        )?;
        let apt = PrivateApt { config };
        let stamp = dir.join("stamp-amd64-arm64");
        if !stamp.exists() {
            shell::run(apt.command("apt-get").args(["update", "-qq"]))?;
            fs::write(stamp, "")?;
        }
        Ok(apt)
    }

    /// Downloads a package and takes the file out that the pattern means.
    fn extract(&self, arch: Arch, package: &str, pattern: &str, to: &Path) -> Result<()> {
        let dir = to.parent().context("a file without a folder")?;
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir)?;
        let (name, suite) =
            package.split_once('/').map_or((package, None), |(name, suite)| (name, Some(suite)));
        let suite = suite.map(|suite| format!("/{suite}")).unwrap_or_default();
        let wanted = format!("{name}:{}{suite}", arch.debian());
        shell::run(self.command("apt-get").current_dir(dir).args(["download", "-qq", &wanted]))?;
        let deb = fs::read_dir(dir)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|ext| ext == "deb"))
            .with_context(|| format!("{wanted} was not downloaded"))?;
        let partial = to.with_extension("partial");
        shell::run(
            Command::new("sh")
                .args(["-c", "dpkg-deb --fsys-tarfile \"$1\" | tar -xO --wildcards \"$3\" > \"$2\"", "sh"])
                .args([&deb, &partial])
                .arg(pattern),
        )?;
        fs::remove_file(deb)?;
        fs::write(dir.join("package"), package)?;
        fs::rename(partial, to)?;
        Ok(())
    }

    /// The package that has the image itself: from 7.0 on `linux-image-*` is empty and depends on `linux-binary-*`.
    fn with_image(&self, package: String) -> Result<String> {
        let shown = shell::text(self.command("apt-cache").args(["show", &package]))?;
        let binary = package.replacen("linux-image-", "linux-binary-", 1);
        let has_binary = shown
            .lines()
            .any(|line| line.strip_prefix("Depends: ").is_some_and(|list| list.contains(&binary)));
        Ok(if has_binary { binary } else { package })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", &self.config);
        command
    }
}
