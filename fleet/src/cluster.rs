//! A cluster that answers SQL: Ballista's scheduler and executors, which know our tables and scans.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use arrow_flight::flight_service_server::FlightServiceServer;
use ballista::prelude::SessionContextExt;
use ballista_core::config::{
    BALLISTA_CLIENT_IO_RETRIES_TIMES, BALLISTA_CLIENT_IO_RETRY_WAIT_TIME_MS, TaskSchedulingPolicy,
};
use ballista_core::error::BallistaError;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::shutdown::Shutdown;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_server};
use clap::Args;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::runtime::Runtime;
use tonic::transport::Server;

use crate::codec::{LogicalCodec, PhysicalCodec};
use crate::session;
use crate::sql::say;
use crate::tls::{Tls, TlsOptions, refuse_open};

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
    /// An executor that was not heard of for so long is lost, and others do what it did: several times its --heartbeat
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    executor_timeout: u64,
    #[command(flatten)]
    tls: TlsOptions,
    /// Listen for others than this host without certificates
    #[arg(long)]
    insecure_listen: bool,
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
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    heartbeat: u64,
    #[command(flatten)]
    tls: TlsOptions,
    /// Listen for others than this host without certificates
    #[arg(long)]
    insecure_listen: bool,
}

/// How often something is fetched from an executor before it is taken for lost, and how long is waited between: with Ballista's
/// own three tries, three seconds apart, each of many fetches from a dead executor takes nine seconds.
const FETCH_RETRIES: &str = "2";
const FETCH_WAIT_MS: &str = "250";
/// How often a task, and a stage, may fail before the query does: each loss of an executor may cost one.
const MOST_FAILURES: usize = 8;

fn config(tls: Option<&Tls>) -> SessionConfig {
    let config = SessionConfig::new_with_ballista()
        .set_str(BALLISTA_CLIENT_IO_RETRIES_TIMES, FETCH_RETRIES)
        .set_str(BALLISTA_CLIENT_IO_RETRY_WAIT_TIME_MS, FETCH_WAIT_MS);
    let config = match tls {
        Some(tls) => config
            .with_ballista_use_tls(true)
            .with_ballista_override_create_grpc_client_endpoint(tls.client()),
        None => config,
    };
    config
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
pub async fn session(address: &str, tasks: usize, tls: &TlsOptions) -> Result<SessionContext> {
    let config = config(tls.read()?.as_ref()).with_target_partitions(tasks.max(1));
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

/// Who has certificates lets executors ask for work: whoever is given work has to be connected to, and Ballista does that
/// without certificates.
fn policy(tls: Option<&Tls>) -> TaskSchedulingPolicy {
    if tls.is_some() { TaskSchedulingPolicy::PullStaged } else { TaskSchedulingPolicy::PushStaged }
}

pub fn schedule(options: &SchedulerOptions) -> Result<()> {
    let tls = options.tls.read()?;
    refuse_open(options.bind, tls.as_ref(), options.insecure_listen)?;
    let of_sessions = tls.clone();
    let scheduler = SchedulerConfig {
        external_host: options.host.clone().unwrap_or_else(|| options.bind.ip().to_string()),
        bind_host: options.bind.ip().to_string(),
        bind_port: options.bind.port(),
        executor_timeout_seconds: options.executor_timeout,
        no_executors_grace_period_seconds: options.executor_timeout,
        expire_dead_executor_interval_seconds: 1,
        task_max_failures: MOST_FAILURES,
        stage_max_failures: MOST_FAILURES,
        scheduling_policy: policy(tls.as_ref()),
        override_create_grpc_client_endpoint: tls.as_ref().map(Tls::client),
        use_tls: tls.is_some(),
        override_logical_codec: Some(Arc::new(LogicalCodec::default())),
        override_physical_codec: Some(Arc::new(PhysicalCodec::default())),
        override_config_producer: Some(Arc::new(move || config(of_sessions.as_ref()))),
        override_session_builder: Some(Arc::new(|config| Ok(state(config)))),
        ..SchedulerConfig::default()
    };
    runtime()?.block_on(async {
        let cluster = BallistaCluster::new_from_config(&scheduler).await.map_err(|error| anyhow!(error))?;
        say(&format!("the scheduler listens on {}", options.bind));
        match &tls {
            None => {
                start_server(cluster, options.bind, Arc::new(scheduler)).await.map_err(|error| anyhow!(error))
            }
            Some(tls) => serve_secured(cluster, options.bind, scheduler, tls).await,
        }
    })
}

/// The scheduler, for those who have certificates.
async fn serve_secured(
    cluster: BallistaCluster,
    bind: SocketAddr,
    config: SchedulerConfig,
    tls: &Tls,
) -> Result<()> {
    let bytes = config.grpc_server_max_decoding_message_size as usize;
    let scheduler = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config));
    let scheduler = scheduler.await.map_err(|error| anyhow!(error))?;
    let service =
        SchedulerGrpcServer::new(scheduler).max_decoding_message_size(bytes).max_encoding_message_size(bytes);
    let mut server = Server::builder().tls_config(tls.server()).context("certificates")?;
    server.add_service(service).serve(bind).await.with_context(|| format!("--bind {bind}"))
}

/// What executors hand to each other and to clients, for those who have certificates.
fn flight(tls: &Tls) -> Arc<ArrowFlightServerProvider> {
    let tls = tls.clone();
    Arc::new(move |work: String, bind: SocketAddr, mut shutdown: Shutdown, _| {
        let tls = tls.server();
        tokio::spawn(async move {
            let service = FlightServiceServer::new(BallistaFlightService::new(work))
                .max_decoding_message_size(MESSAGE_BYTES)
                .max_encoding_message_size(MESSAGE_BYTES);
            let served = async {
                Server::builder()
                    .tls_config(tls)?
                    .add_service(service)
                    .serve_with_shutdown(bind, shutdown.recv())
                    .await
            };
            served.await.map_err(BallistaError::TonicError)
        })
    })
}

/// Ballista's own bound.
const MESSAGE_BYTES: usize = 16 << 20;

pub fn execute(options: &ExecutorOptions) -> Result<()> {
    let tls = options.tls.read()?;
    refuse_open(options.bind, tls.as_ref(), options.insecure_listen)?;
    let of_sessions = tls.clone();
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
        task_scheduling_policy: policy(tls.as_ref()),
        override_create_grpc_client_endpoint: tls.as_ref().map(Tls::client),
        override_arrow_flight_service: tls.as_ref().map(flight),
        override_config_producer: Some(Arc::new(move || config(of_sessions.as_ref()))),
        override_function_registry: Some(Arc::new((&state(config(tls.as_ref()))).into())),
        ..ExecutorProcessConfig::default()
    };
    if let Some(threads) = options.threads {
        executor.vcores = threads.max(1);
    }
    say(&format!("an executor with {} tasks at a time asks {}", executor.vcores, options.scheduler));
    runtime()?
        .block_on(async { start_executor_process(Arc::new(executor)).await.map_err(|error| anyhow!(error)) })
}
