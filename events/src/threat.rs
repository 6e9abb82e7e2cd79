//! What detections are about: severity and the technique of MITRE ATT&CK, as Tracee's users know them.

use crate::EventId;
use crate::catalogue::detections;

/// The metadata of one detection.
#[derive(Debug)]
pub struct Threat {
    pub event: EventId,
    /// Tracee's number, such as `TRC-102`.
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub severity: Severity,
    pub tactic: &'static str,
    /// Such as `T1622`.
    pub technique: &'static str,
    pub technique_name: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    Info = 0,
    Low = 1,
    Medium = 2,
    High = 3,
    Critical = 4,
}

impl Severity {
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// By name or number.
    pub fn parse(text: &str) -> Option<Severity> {
        let is_it = |severity: &Severity| {
            severity.name() == text || text.parse::<u8>().is_ok_and(|number| number == *severity as u8)
        };
        Severity::ALL.into_iter().find(is_it)
    }
}

/// One entry for each detection of the catalogue.
pub const THREATS: &[Threat] = &[Threat {
    event: detections::ANTI_DEBUGGING,
    id: "TRC-102",
    name: "Anti-Debugging detected",
    description: "A process asked to be traced by its parent, so that no debugger can attach to it",
    severity: Severity::Low,
    tactic: "Defense Evasion",
    technique: "T1622",
    technique_name: "Debugger Evasion",
}];

/// The metadata of an event that is a detection.
pub fn of(event: EventId) -> Option<&'static Threat> {
    THREATS.iter().find(|threat| threat.event == event)
}
