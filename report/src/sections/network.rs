//! Of section 5: who talked to whom, what listened, and which names were asked for.

use views::sums::By;

use super::{table, top};
use crate::html::Html;
use crate::page::Page;

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup("<h3>Network</h3>\n");
    if page.is_narrowed {
        html.markup(
            "<p class=\"quiet\">Connections and sockets are those of the processes that have events here; one of which no call \
             names its process is left out.</p>\n",
        );
    }
    let gathered = page.gathered;
    let names = gathered.totals.by(By::Domain);
    if gathered.connections.is_empty() && gathered.listening.is_empty() && names.is_empty() {
        html.markup("<p>No connection, no listening socket and no question for a name was recorded.</p>\n");
        return;
    }
    table::objects(page, html, "Connections", &gathered.connections, "tracer conn FILE");
    table::objects(page, html, "Sockets that listen at the end", &gathered.listening, "tracer ss FILE");
    if !names.is_empty() {
        top::groups(page, html, "Names that were asked for", "Name", names);
    }
}
