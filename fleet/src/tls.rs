//! Who belongs to a cluster: whoever has a certificate of its authority. Scheduler, executors and clients show each other theirs
//! (mutual TLS), and nothing goes between them in the clear.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ballista_core::extension::EndpointOverrideFn;
use clap::Args;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig, Uri};

#[derive(Args, Clone, Debug, Default)]
pub struct TlsOptions {
    /// Certificate of the cluster's authority (PEM): whoever shows none of it is refused
    #[arg(long, value_name = "FILE", env = "TRACER_TLS_CA", requires_all = ["tls_cert", "tls_key"])]
    tls_ca: Option<PathBuf>,
    /// Own certificate of that authority (PEM), which names the host as others reach it
    #[arg(long, value_name = "FILE", env = "TRACER_TLS_CERT", requires = "tls_ca")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", env = "TRACER_TLS_KEY", requires = "tls_ca")]
    tls_key: Option<PathBuf>,
}

/// Read certificates.
#[derive(Clone, Debug)]
pub struct Tls {
    authority: Certificate,
    identity: Identity,
}

const CONNECT: Duration = Duration::from_secs(10);
const ALIVE: Duration = Duration::from_secs(10);

impl TlsOptions {
    pub fn read(&self) -> Result<Option<Tls>> {
        let (Some(ca), Some(cert), Some(key)) = (&self.tls_ca, &self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let authority = Certificate::from_pem(pem(ca, "CERTIFICATE")?);
        refuse_readable(key)?;
        let identity = Identity::from_pem(pem(cert, "CERTIFICATE")?, pem(key, "PRIVATE KEY")?);
        Ok(Some(Tls { authority, identity }))
    }
}

impl Tls {
    /// For who is connected to: others must show a certificate, too.
    pub fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(self.identity.clone()).client_ca_root(self.authority.clone())
    }

    /// For who connects. Parts of a cluster name each other by `http`; with certificates they mean `https`.
    pub fn client(&self) -> EndpointOverrideFn {
        let config =
            ClientTlsConfig::new().ca_certificate(self.authority.clone()).identity(self.identity.clone());
        Arc::new(move |endpoint: Endpoint| {
            let mut parts = endpoint.uri().clone().into_parts();
            parts.scheme = Some("https".parse()?);
            parts.path_and_query = parts.path_and_query.or(Some("/".parse()?));
            let secured = Endpoint::from(Uri::from_parts(parts)?)
                .connect_timeout(CONNECT)
                .tcp_nodelay(true)
                .http2_keep_alive_interval(ALIVE)
                .keep_alive_while_idle(true);
            Ok(secured.tls_config(config.clone())?)
        })
    }
}

fn pem(path: &Path, what: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    if !text.contains(&format!("{what}-----")) {
        bail!("{}: there is no {} in it, as PEM has them", path.display(), what.to_lowercase());
    }
    Ok(text)
}

#[cfg(unix)]
fn refuse_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{}: others can read or write it: chmod 600 {}", path.display(), path.display());
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_readable(_: &Path) -> Result<()> {
    Ok(())
}

/// Without certificates whoever reaches the port can ask anything of the captures and run plans: only this host may then,
/// unless it is said that the network is nobody else's.
pub fn refuse_open(bind: SocketAddr, tls: Option<&Tls>, is_insecure: bool) -> Result<()> {
    if tls.is_some() || is_insecure || bind.ip().is_loopback() {
        return Ok(());
    }
    bail!(
        "--bind {bind}: whoever reaches this address could ask everything, for there are no certificates: give --tls-ca, \
         --tls-cert and --tls-key, or say --insecure-listen where the network is the cluster's alone"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_listened_to_without_certificates() {
        let refused =
            |bind: &str, is_insecure| refuse_open(bind.parse().expect("an address"), None, is_insecure);
        assert!(refused("127.0.0.1:1", false).is_ok() && refused("[::1]:1", false).is_ok());
        assert!(refused("0.0.0.0:1", true).is_ok());
        for open in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1"] {
            let error = refused(open, false).expect_err("it is open").to_string();
            assert!(error.contains("--tls-ca") && error.contains("--insecure-listen"), "{error}");
        }
    }

    #[test]
    fn what_is_connected_to_is_meant_with_certificates() {
        let tls = Tls { authority: Certificate::from_pem("x"), identity: Identity::from_pem("x", "x") };
        // These are no certificates, and an endpoint is not made of them: it is not made without either.
        assert!(tls.client()(Endpoint::from_static("http://sched:50050")).is_err());
    }
}
