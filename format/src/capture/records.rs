//! Records beside the events: processes, cgroups, losses, users and clocks. Losses and clocks are kept, since everybody is
//! to be told and times are always asked for; the others stay in the file until somebody asks.

use super::{Capture, Completeness};
use crate::frame::Kind;
use crate::{
    Artifact, Cgroup, ClockOffset, Error, Loss, Process, Result, Side, User, limits, records, side_v1,
};

/// Where the records stand, and those that are kept.
#[derive(Debug, Default)]
pub(super) struct Beside {
    offsets: Vec<(u64, Kind)>,
    losses: Vec<Loss>,
    clocks: Vec<ClockOffset>,
    has_containers: bool,
    /// Where frames with the bytes of artifacts stand.
    pub(super) contents: Vec<u64>,
    /// Decompressed, up to now.
    bytes: usize,
    /// There are more of them than may be read.
    has_more: bool,
}

/// Records beside the events, in the file's order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Records {
    pub processes: Vec<Process>,
    /// The last one of an id is what was known at the end.
    pub cgroups: Vec<Cgroup>,
    pub losses: Vec<Loss>,
    pub users: Vec<User>,
    pub artifacts: Vec<Artifact>,
}

impl Records {
    fn take(&mut self, side: Side) {
        match side {
            Side::Processes(all) => self.processes.extend(all),
            Side::Cgroups(all) => self.cgroups.extend(all),
            Side::Losses(all) => self.losses.extend(all),
            Side::Users(all) => self.users.extend(all),
            Side::Artifacts(all) => self.artifacts.extend(all),
            // Kept from the start.
            Side::Clocks(_) => {}
        }
    }
}

impl Capture {
    /// Looks at records beside the events, as long as they fit.
    pub(super) fn take_records(&mut self, offset: u64, kind: Kind) -> Result<()> {
        // Known before it is decompressed, unless the frame is encrypted: then it is one frame too many at most.
        let said = self.reader.frame(offset)?.head_raw as usize;
        if self.beside.has_more || self.beside.bytes + said > limits::SIDE_BYTES {
            self.beside.has_more = true;
            return Ok(());
        }
        let head = self.head(offset, kind)?;
        self.beside.bytes += head.bytes.len();
        self.beside.offsets.push((offset, kind));
        let is_wanted = |name: &str| matches!(name, records::LOSSES | records::CGROUPS | records::CLOCKS);
        for side in self.sides(offset, kind, &head.bytes, &is_wanted)? {
            match side {
                Side::Losses(losses) => self.beside.losses.extend(losses),
                Side::Clocks(clocks) => self.beside.clocks.extend(clocks),
                Side::Cgroups(all) => {
                    self.beside.has_containers |= all.iter().any(|cgroup| cgroup.container.is_some());
                }
                Side::Processes(_) | Side::Users(_) | Side::Artifacts(_) => {}
            }
        }
        Ok(())
    }

    /// The records of a frame, as far as they are in tables that are wanted.
    fn sides(
        &self,
        offset: u64,
        kind: Kind,
        head: &[u8],
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Side>> {
        Ok(match kind {
            Kind::Table => records::read_wanted(head, &self.schema, offset, wanted)?.into_iter().collect(),
            _ => side_v1::read(self.reader.version(), head, &self.schema, offset)?.into(),
        })
    }

    /// Reads all records beside the events. A frame that holds none that can be read is left out, and
    /// [`Capture::unread_records`] says so from then on.
    pub fn records(&self) -> Result<Records> {
        let mut all = Records::default();
        for (offset, kind) in &self.beside.offsets {
            let read = self.head(*offset, *kind).and_then(|head| {
                let sides = self.sides(*offset, *kind, &head.bytes, &|_| true)?;
                sides.into_iter().for_each(|side| all.take(side));
                Ok(())
            });
            if let Err(error) = read {
                let _ = self.unread_records.set(error.to_string());
                if matches!(error, Error::Io { .. }) {
                    return Err(error);
                }
            }
        }
        Ok(all)
    }

    /// What is wrong with records beside the events that somebody asked for and that could not be read; the first of them.
    /// They are read when they are first needed, so this is known behind the answer.
    pub fn unread_records(&self) -> Option<&str> {
        self.unread_records.get().map(String::as_str)
    }

    /// The records, read once and kept.
    fn kept_records(&self) -> &Records {
        self.records.get_or_init(|| self.records().unwrap_or_default())
    }

    pub fn processes(&self) -> &[Process] {
        &self.kept_records().processes
    }

    /// In the file's order: the last one of an id is what was known at the end.
    pub fn cgroups(&self) -> &[Cgroup] {
        &self.kept_records().cgroups
    }

    pub fn losses(&self) -> &[Loss] {
        &self.beside.losses
    }

    /// What is said of the wall clocks of hosts, in the file's order.
    pub fn clocks(&self) -> &[ClockOffset] {
        &self.beside.clocks
    }

    /// Whether any of the cgroups is a container's.
    pub fn has_containers(&self) -> bool {
        self.beside.has_containers
    }

    pub fn users(&self) -> &[User] {
        &self.kept_records().users
    }

    pub fn artifacts(&self) -> &[Artifact] {
        &self.kept_records().artifacts
    }

    pub(super) fn tell_unread_records(&mut self) {
        if !self.beside.has_more {
            return;
        }
        let more = format!(
            "records beside the events take more than {} bytes, and the later ones are left out",
            limits::SIDE_BYTES
        );
        let (lost_bytes, what) = match &self.completeness {
            Completeness::Finished | Completeness::Growing => (0, more),
            Completeness::Salvaged { lost_bytes, what } => (*lost_bytes, format!("{what}; {more}")),
        };
        self.completeness = Completeness::Salvaged { lost_bytes, what };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TableBuilder;
    use crate::{Header, Writer, current_schema};

    #[test]
    fn a_table_that_contradicts_itself_is_told_once_somebody_asked_for_it() {
        let header = Header { schema: current_schema(), ..Header::default() };
        let mut writer = Writer::create(Vec::new(), &header).unwrap();
        writer.side(&Side::Processes(vec![Process { pid: 7, ..Process::default() }])).unwrap();
        // Three users, and the name of one.
        let mut torn = TableBuilder::new(records::USERS, 3);
        torn.strings("name", [&b"alice"[..]]);
        writer.table(&torn.to_bytes().unwrap()).unwrap();
        let capture = Capture::from_bytes(writer.finish().unwrap().0).unwrap();
        assert_eq!((capture.completeness(), capture.unread_records()), (&Completeness::Finished, None));
        assert_eq!((capture.processes().len(), capture.users().len()), (1, 0));
        assert!(capture.unread_records().is_some_and(|what| what.contains("a table contradicts itself")));
    }
}
