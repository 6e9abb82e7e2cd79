//! A cluster that answers SQL: Ballista's scheduler and executors, which know our tables and scans.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use ballista::prelude::SessionContextExt;
use ballista_core::extension::SessionConfigExt;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use clap::Args;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::Runtime;

use crate::codec::{LogicalCodec, PhysicalCodec};
use crate::session;
use crate::sql::say;

/// Plans are trees, and walking deep ones takes stack.
const STACK_BYTES: usize = 32 << 20;

#[derive(Args, Debug)]
pub struct SchedulerOptions {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50050")]
    bind: SocketAddr,
    /// Name by which executors and clients reach this host [default: the address]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// An executor that was not heard of for so long is lost, and others do what it did
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    executor_timeout: u64,
}

#[derive(Args, Debug)]
pub struct ExecutorOptions {
    /// The scheduler
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    scheduler: String,
    /// Address to listen on; the port above it is used too
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50051")]
    bind: SocketAddr,
    /// Name by which others reach this host [default: the address]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Tasks at a time; all processors unless said otherwise
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Folder for what goes from task to task [default: one in the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,
    /// How often it says that it is there
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    heartbeat: u64,
}

fn config() -> SessionConfig {
    SessionConfig::new_with_ballista()
        .with_ballista_logical_extension_codec(Arc::new(LogicalCodec::default()))
        .with_ballista_physical_extension_codec(Arc::new(PhysicalCodec::default()))
        .with_information_schema(true)
}

/// A state with our functions, as all three kinds of processes have it.
fn state(config: SessionConfig) -> SessionState {
    let state = SessionStateBuilder::new().with_default_features().with_config(config).build();
    let session = SessionContext::new_with_state(state);
    session::add_functions(&session);
    session.state()
}

/// A session whose queries run on a cluster; `address` is its scheduler's.
pub async fn session(address: &str, tasks: usize) -> Result<SessionContext> {
    let config = config().with_target_partitions(tasks.max(1));
    let url = format!("df://{address}");
    let state = SessionStateBuilder::new().with_default_features().with_config(config).build();
    let session = SessionContext::remote_with_state(&url, state).await.with_context(|| address.to_owned())?;
    session::add_functions(&session);
    Ok(session)
}

pub fn runtime() -> Result<Runtime> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    runtime.context("starting threads")
}

pub fn schedule(options: &SchedulerOptions) -> Result<()> {
    let scheduler = SchedulerConfig {
        external_host: options.host.clone().unwrap_or_else(|| options.bind.ip().to_string()),
        bind_host: options.bind.ip().to_string(),
        bind_port: options.bind.port(),
        executor_timeout_seconds: options.executor_timeout,
        no_executors_grace_period_seconds: options.executor_timeout,
        expire_dead_executor_interval_seconds: (options.executor_timeout / 4).max(1),
        override_logical_codec: Some(Arc::new(LogicalCodec::default())),
        override_physical_codec: Some(Arc::new(PhysicalCodec::default())),
        override_config_producer: Some(Arc::new(config)),
        override_session_builder: Some(Arc::new(|config| Ok(state(config)))),
        ..SchedulerConfig::default()
    };
    runtime()?.block_on(async {
        let cluster = BallistaCluster::new_from_config(&scheduler).await.map_err(|error| anyhow!(error))?;
        say(&format!("the scheduler listens on {}", options.bind));
        start_server(cluster, options.bind, Arc::new(scheduler)).await.map_err(|error| anyhow!(error))
    })
}

pub fn execute(options: &ExecutorOptions) -> Result<()> {
    let (host, port) = options.scheduler.rsplit_once(':').context("--scheduler HOST:PORT")?;
    let port = port.parse().with_context(|| format!("--scheduler {}", options.scheduler))?;
    let mut executor = ExecutorProcessConfig {
        bind_host: options.bind.ip().to_string(),
        external_host: Some(options.host.clone().unwrap_or_else(|| options.bind.ip().to_string())),
        port: options.bind.port(),
        grpc_port: options.bind.port().checked_add(1).context("--bind: there is no port above it")?,
        scheduler_host: host.to_owned(),
        scheduler_port: port,
        scheduler_connect_timeout_seconds: 30,
        executor_heartbeat_interval_seconds: options.heartbeat,
        work_dir: options.work.as_ref().map(|path| path.display().to_string()),
        override_logical_codec: Some(Arc::new(LogicalCodec::default())),
        override_physical_codec: Some(Arc::new(PhysicalCodec::default())),
        override_config_producer: Some(Arc::new(config)),
        override_function_registry: Some(Arc::new((&state(config())).into())),
        ..ExecutorProcessConfig::default()
    };
    if let Some(threads) = options.threads {
        executor.vcores = threads.max(1);
    }
    say(&format!("an executor with {} tasks at a time asks {}", executor.vcores, options.scheduler));
    runtime()?
        .block_on(async { start_executor_process(Arc::new(executor)).await.map_err(|error| anyhow!(error)) })
}
