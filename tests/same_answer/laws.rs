//! What holds for every capture and every filter.

mod answers;
mod arriving;
mod artifacts;
mod audit;
mod bounds;
mod catalogues;
mod damage;
mod durations;
mod live;
mod made;
mod moments;
mod parts;

use crate::case::Case;
use crate::findings;
use crate::random::Random;
use crate::views;
pub use parts::in_parts;

type Law = fn(&Case, &mut Random);

pub const LAWS: &[(&str, Law)] = &[
    ("threads", answers::threads),
    ("count, explain and limit", answers::count),
    ("order of files", answers::order),
    ("scopes", answers::two_scopes),
    ("diff", answers::diff),
    ("a stretch of time", parts::stretch),
    ("cut", parts::cut),
    ("parts", parts::parts),
    ("merge", parts::merge),
    ("a torn file", damage::torn),
    ("a damaged file", damage::damaged),
    ("redact", made::redact),
    ("artifacts", artifacts::artifacts),
    ("import", made::import),
    ("encryption", made::encryption),
    ("pipes", arriving::pipes),
    ("as it comes", arriving::as_it_comes),
    ("a growing file", arriving::growing),
    ("live blocks", live::live),
    ("recorded scopes", made::recorded),
    ("export", views::export),
    ("tables for other engines", views::parquet),
    ("top", views::top),
    ("tree", views::tree),
    ("scan", views::scan),
    ("facts", findings::facts),
    ("lines of logs", findings::lines_of_logs),
    ("named steps", findings::named_steps),
    ("executions before", findings::executions_before),
    ("states", moments::states),
    ("stories and uses", moments::uses),
    ("durations", durations::durations),
    ("durations in exports", durations::exports),
    ("catalogues", catalogues::catalogues),
    ("lists of audit", audit::lists),
    ("memory", bounds::bounded),
    ("memory of tools", bounds::tools_bounded),
];
