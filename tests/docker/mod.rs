//! A real Docker, for the tests that need one: an image of nothing but this host's busybox.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use libtest_mimic::Failed;

pub const IMAGE: &str = "tracer-test-busybox:1";

/// Why containers cannot be run here, if they cannot.
pub fn obstacle() -> Option<String> {
    let quiet = |program: &str, argument: &str| {
        let run = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    if !quiet("docker", "info") {
        return Some("no Docker runs here".to_owned());
    }
    if busybox().is_none() { Some("no busybox here".to_owned()) } else { None }
}

fn busybox() -> Option<&'static str> {
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists())
}

/// Runs `docker`, which must succeed, and gives back what it printed.
pub fn docker(arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("docker").args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("docker {} ended with {}\n{said}", arguments.join(" "), output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes the image, unless it is there: one test at a time, since an image of a name that moved on loses its name.
pub fn image() -> Result<(), Failed> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().map_err(|_| "another test failed to make the image")?;
    if docker(&["image", "inspect", IMAGE]).is_ok() {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin)?;
    std::fs::copy(busybox().ok_or("no busybox")?, bin.join("busybox"))?;
    let script = format!("tar -C '{}' -c . | docker import - {IMAGE}", dir.path().display());
    let made = Command::new("sh").args(["-c", &script]).output()?;
    if made.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&made.stderr).into()) }
}

/// A container that is made and not started yet; removed in the end.
pub struct Container {
    pub id: String,
    pub name: String,
}

impl Container {
    pub fn create(name: &str, command: &[&str]) -> Result<Container, Failed> {
        Container::create_with(name, &[], command)
    }

    /// With options of `docker create`.
    pub fn create_with(name: &str, options: &[&str], command: &[&str]) -> Result<Container, Failed> {
        image()?;
        let name = format!("tracer-test-{name}-{}", std::process::id());
        let mut arguments = vec!["create", "--network=none", "--name", &name];
        arguments.extend(options);
        arguments.push(IMAGE);
        arguments.extend(command);
        let id = docker(&arguments)?;
        Ok(Container { id, name })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.id]);
    }
}
