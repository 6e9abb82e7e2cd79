//! What lines of JSON have in common that tell of events of one name.

use events::{Arg, Event};
use views::digits;

use super::json_text;

/// Before the name of the call, and behind it up to `containerStarted`'s value.
pub const SYSCALL: &[u8] = b",\"syscall\":\"";
pub const BEHIND_SYSCALL: &[u8] = b"\",\"stackAddresses\":[],\"contextFlags\":{\"containerStarted\":";

/// Texts by the event's id, written when an event is first met.
#[derive(Debug, Default)]
pub struct Known {
    texts: Vec<Option<Box<Texts>>>,
}

/// The texts of one event.
#[derive(Debug)]
pub struct Texts {
    event: &'static Event,
    /// The scopes of the text up to the result.
    scopes: u64,
    up_to_result: Vec<u8>,
    /// `syscall`, with the name of the event where it is one, to before the quotation mark behind it.
    pub call: Vec<u8>,
    /// The argument that names the call that it happened in.
    pub caller: Option<usize>,
    pub args: Vec<ArgTexts>,
}

/// What stands before the value of an argument.
#[derive(Debug)]
pub struct ArgTexts {
    pub value: Vec<u8>,
    /// Before a number that is told as text.
    pub word: Vec<u8>,
}

impl Known {
    pub fn of(&mut self, event: &'static Event) -> &mut Texts {
        let at = usize::from(event.id.0);
        if self.texts.len() <= at {
            self.texts.resize_with(at + 1, || None);
        }
        let texts = self.texts[at].get_or_insert_with(|| Box::new(Texts::of(event)));
        if !std::ptr::eq(texts.event, event) {
            **texts = Texts::of(event);
        }
        texts
    }
}

impl Texts {
    fn of(event: &'static Event) -> Texts {
        let mut call = SYSCALL.to_vec();
        if event.is_syscall() {
            json_text::inner(event.name.as_bytes(), &mut call);
        }
        let args = event.listed_args().iter().enumerate().map(|(position, arg)| ArgTexts {
            value: before_value(position, arg, arg.ctype),
            word: before_value(position, arg, "string"),
        });
        let mut texts = Texts {
            event,
            scopes: 0,
            up_to_result: Vec::new(),
            call,
            caller: event.caller(),
            args: args.collect(),
        };
        texts.spell(0);
        texts
    }

    /// From `eventId` to before the value of `returnValue`.
    pub fn up_to_result(&mut self, scopes: u64) -> &[u8] {
        if scopes != self.scopes {
            self.spell(scopes);
        }
        &self.up_to_result
    }

    fn spell(&mut self, scopes: u64) {
        let out = &mut self.up_to_result;
        self.scopes = scopes;
        out.clear();
        out.extend_from_slice(b",\"eventId\":\"");
        digits::unsigned(u64::from(self.event.id.0), out);
        out.extend_from_slice(b"\",\"eventName\":");
        json_text::quoted(self.event.name.as_bytes(), out);
        out.extend_from_slice(b",\"matchedScopes\":");
        digits::unsigned(scopes, out);
        out.extend_from_slice(b",\"argsNum\":");
        digits::unsigned(self.event.listed_args().len() as u64, out);
        out.extend_from_slice(b",\"returnValue\":");
    }
}

fn before_value(position: usize, arg: &Arg, ctype: &str) -> Vec<u8> {
    let mut text = if position == 0 { b"{\"name\":".to_vec() } else { b",{\"name\":".to_vec() };
    json_text::quoted(arg.name.as_bytes(), &mut text);
    text.extend_from_slice(b",\"type\":");
    json_text::quoted(ctype.as_bytes(), &mut text);
    text.extend_from_slice(b",\"value\":");
    text
}
