//! A session of queries: the table of events, views of it, and the functions that ask scopes.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::captures::Asked;
use crate::events_table::EventsTable;
use crate::question::Spec;
use crate::scopes_function::{self, PlaceScopes};
use crate::views::{View, ViewTable};

/// The name of the table of events.
pub const EVENTS: &str = "events";

/// A session whose queries run in this process.
pub fn embedded(threads: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(threads.max(1)).with_information_schema(true);
    let state = SessionStateBuilder::new().with_default_features().with_config(config).build();
    // Lists of names and addresses to join with are files: from 'iocs.csv'.
    let session = SessionContext::new_with_state(state).enable_url_table();
    add_functions(&session);
    session
}

pub fn add_functions(session: &SessionContext) {
    scopes_function::functions().into_iter().for_each(|function| session.register_udf(function));
    session.add_analyzer_rule(Arc::new(PlaceScopes));
}

/// Registers captures as tables. `filters`: the values of `-f`.
pub fn add_tables(session: &SessionContext, asked: &Asked, filters: &[String]) -> Result<()> {
    let spec = Spec { captures: asked.names().to_vec(), filters: filters.to_vec(), scopes: Vec::new() };
    session.register_table(EVENTS, Arc::new(EventsTable::new(spec, asked.clone())?))?;
    for view in View::ALL {
        session.register_table(view.name(), Arc::new(ViewTable::new(view, asked.clone())))?;
    }
    Ok(())
}
