//! Puts the meaning of each kind of event into what a query asks, and leaves the kinds that it can be true of.

use std::collections::BTreeSet;
use std::ops::Range;

use scopes::nearest;

use super::ask::{Ask, Asked, Name, Wrong, compiled};
use super::ecs::{self, Meaning};
use super::joins;
use super::kind::{CATEGORIES, Kind, OTHERS, kinds};
use super::made::Made;
use crate::eql::{Part, Query as Eql, Sequence as EqlSequence, Step as EqlStep};
use crate::form::{
    self, Arm, Atom, Body, Case, Computed, Execution, Expr, Field, FileFact, Kin, Missing, Pattern, Piece,
    Query, Sequence, Step, Test, Value,
};

/// What comes of a query: what it asks, in words what of it is not quite so, or all that is wrong.
#[derive(Debug, Default)]
pub struct Lowered {
    pub notes: Vec<String>,
    pub wrong: Vec<Wrong>,
}

impl Lowered {
    pub fn body(&mut self, query: &Eql) -> Body {
        match query {
            Eql::Event(part) => Body::Event(self.part(part).0),
            Eql::Sequence(sequence) => Body::Sequence(self.sequence(sequence)),
        }
    }

    fn sequence(&mut self, sequence: &EqlSequence) -> Sequence {
        let mut steps = Vec::new();
        let (mut names, mut kinds): (Vec<Option<Name>>, Vec<Vec<Kind>>) = (Vec::new(), Vec::new());
        for step in &sequence.steps {
            let (lowered, of_step) = self.step(step, &names, &kinds);
            steps.push(lowered);
            names.push(step.name.clone());
            kinds.push(of_step);
        }
        let (until, until_by) = match &sequence.until {
            Some(step) => {
                let (step, _) = self.step(step, &[], &[]);
                (Some(step.query), step.by)
            }
            None => (None, Vec::new()),
        };
        Sequence { steps, until, until_by, span_ns: sequence.span_ns, is_sample: sequence.is_sample }
    }

    /// A step and its kinds. `names` and `kinds` are those of the steps before it.
    fn step(&mut self, step: &EqlStep, names: &[Option<Name>], kinds: &[Vec<Kind>]) -> (Step, Vec<Kind>) {
        let (ask, asked) = joins::split(&step.part.ask, names).unwrap_or_else(|wrong| {
            self.wrong.push(wrong);
            (Ask::Const(true), Vec::new())
        });
        if let Some(join) = asked.first().filter(|_| step.is_missing) {
            let message = "what must not come cannot ask for an event before it";
            self.wrong.push(Wrong::new(join.left.name.span.clone(), message));
        }
        let part = Part { ask, ..step.part.clone() };
        let (query, own) = self.part(&part);
        let by = step.by.iter().filter_map(|name| self.field(name, &own)).collect();
        let missing = if step.is_missing { Missing::Yes } else { Missing::No };
        let mut side = |side: &joins::Side| {
            let kinds = side.step.map_or(Some(&own), |step| kinds.get(step));
            let field = self.field(&side.name, kinds?)?;
            Some(form::Side { step: side.step, field })
        };
        let mut joins = Vec::new();
        for it in &asked {
            if let (Some(left), Some(right)) = (side(&it.left), side(&it.right)) {
                joins.push(form::Join {
                    left,
                    right,
                    case: it.case,
                    shape: it.shape,
                    is_negated: it.is_negated,
                });
            }
        }
        (Step { query, by, runs: step.runs, missing, joins }, own)
    }

    pub fn part(&mut self, part: &Part) -> (Query, Vec<Kind>) {
        let category = part.category.as_ref().map(|name| name.text.as_str());
        if let Some(name) = category
            && !CATEGORIES.contains(&name)
        {
            let mut wrong = match OTHERS.iter().find(|(other, _)| *other == name) {
                Some((_, why)) => {
                    Wrong::new(part.span.clone(), format!("no event here is of the category {name}: {why}"))
                }
                None => Wrong::new(part.span.clone(), format!("unknown category of events {name:?}")),
            };
            wrong.suggestion = nearest(name, CATEGORIES.iter().copied()).map(str::to_owned);
            self.wrong.push(wrong);
            return (Query::default(), Vec::new());
        }
        self.query(&part.ask, category, &part.span)
    }

    /// The arms of a query, and the kind of each.
    pub fn query(&mut self, ask: &Ask, category: Option<&str>, span: &Range<usize>) -> (Query, Vec<Kind>) {
        let mut query = Query::default();
        let (mut asked_of, mut wrong) = (Vec::new(), Vec::new());
        let names = named(ask);
        let calls = (!names.calls.is_empty()).then(|| Kind::Calls(names.calls.clone()));
        for kind in kinds().chain(calls) {
            let words = kind.words();
            let is_meant = category.is_none_or(|category| words.categories.contains(&category));
            // A category that has one kind chooses it.
            let is_chosen = category == Some("driver") || names.says_action(&words);
            if !is_meant || kind.wants_its_action() && !is_chosen {
                continue;
            }
            // Lines of logs are no happenings: only rules about a log mean them.
            if kind == Kind::SystemLog && !names.says_dataset(&words) {
                continue;
            }
            // Neither are changes of users and groups, which have a category of their own.
            let is_account = matches!(kind, Kind::Account | Kind::AccountMessage(_));
            if is_account && category != Some("iam") && !names.says_category("iam") {
                continue;
            }
            let mut found = Vec::new();
            let expr = lower(ask, &kind, &mut found);
            if expr == Expr::Const(false) {
                continue;
            }
            for it in found {
                if !wrong.contains(&it) {
                    wrong.push(it);
                }
            }
            if let Some(note) = kind.note()
                && !self.notes.iter().any(|known| known == note)
            {
                self.notes.push(note.to_owned());
            }
            query.arms.push(Arm::new(kind.class(), expr));
            asked_of.push(kind);
        }
        if query.arms.is_empty() {
            wrong.push(Wrong::new(span.clone(), never(ask, category)));
        }
        self.wrong.extend(wrong);
        (query, asked_of)
    }

    /// What a name of a key or group means: the same for all kinds that have it.
    pub fn field(&mut self, name: &Name, kinds: &[Kind]) -> Option<Field> {
        let mut why = None;
        for kind in kinds {
            match meaning_of(name, kind, &mut self.wrong) {
                Meaning::Field(field) => return Some(field),
                Meaning::Words(words) => {
                    return Some(Field::Constant(words.first().copied().unwrap_or("").into()));
                }
                Meaning::Outcome => return Some(Field::Outcome),
                Meaning::Result => return Some(ecs::result()),
                other => why = Some(other),
            }
        }
        // Without a kind the query is wrong, which was said.
        self.wrong.extend(why.map(|why| lacking(name, &why)));
        None
    }
}

/// What a query names that chooses kinds.
#[derive(Default)]
struct Named {
    calls: BTreeSet<String>,
    actions: Vec<Test>,
    datasets: Vec<Test>,
    categories: Vec<Test>,
}

impl Named {
    fn says_action(&self, words: &super::kind::Words) -> bool {
        self.actions
            .iter()
            .any(|test| words.actions.iter().any(|word| test.passes(Value::Text(word.as_bytes()))))
    }

    fn says_category(&self, category: &str) -> bool {
        self.categories.iter().any(|test| test.passes(Value::Text(category.as_bytes())))
    }

    fn says_dataset(&self, words: &super::kind::Words) -> bool {
        self.datasets
            .iter()
            .any(|test| words.datasets.iter().any(|word| test.passes(Value::Text(word.as_bytes()))))
    }
}

fn named(ask: &Ask) -> Named {
    let mut named = Named::default();
    ask.each_name(&mut |name, asked| match (name.text.as_str(), asked) {
        ("auditd.data.syscall", Asked::Test(Test::Fits(_, patterns))) => {
            let text = |pattern: &Pattern| match pattern {
                Pattern::Equals(text) => String::from_utf8(text.clone()).ok(),
                _ => None,
            };
            named.calls.extend(patterns.iter().filter_map(text));
        }
        ("event.action", Asked::Test(test)) => named.actions.push(test.clone()),
        ("event.category", Asked::Test(test)) => named.categories.push(test.clone()),
        ("event.dataset" | "data_stream.dataset", Asked::Test(test)) => named.datasets.push(test.clone()),
        _ => {}
    });
    named
}

/// Why no kind of event can be what is asked.
fn never(ask: &Ask, category: Option<&str>) -> String {
    let mut choosing: Vec<String> = Vec::new();
    ask.each_name(&mut |name, asked| {
        let is_choosing =
            name.text.starts_with("event.") || name.text.ends_with(".dataset") || name.text == "host.os.type";
        if let Asked::Test(Test::Fits(_, patterns)) = asked
            && is_choosing
        {
            let values: Vec<_> = patterns.iter().map(shown).collect();
            choosing.push(format!("{} {}", name.text, values.join(" or ")));
        }
    });
    let of = category.map_or(String::new(), |category| format!(" of the category {category}"));
    if choosing.is_empty() {
        format!("this can never match: no event{of} has what it asks")
    } else {
        format!("this can never match: no event{of} of a kernel has {}", choosing.join(", "))
    }
}

fn shown(pattern: &Pattern) -> String {
    let text: Vec<u8> = pattern
        .pieces()
        .into_iter()
        .flat_map(|piece| match piece {
            Piece::Literal(text) => text,
            Piece::One => b"?".to_vec(),
            Piece::Many => b"*".to_vec(),
        })
        .collect();
    String::from_utf8_lossy(&text).into_owned()
}

fn lacking(name: &Name, why: &Meaning) -> Wrong {
    let text = &name.text;
    match why {
        Meaning::Lacking(why) => {
            Wrong::new(name.span.clone(), format!("{text} cannot be asked of a capture: {why}"))
        }
        Meaning::Absent => Wrong::new(name.span.clone(), format!("events of this kind have no {text}")),
        _ => {
            let mut wrong = Wrong::new(name.span.clone(), format!("the field {text:?} is not known"));
            wrong.suggestion = nearest(text, ecs::KNOWN.iter().copied()).map(str::to_owned);
            wrong
        }
    }
}

/// What is asked, of events of one kind. What is wrong with parts that cannot decide anything is not told: a rule of several
/// systems asks each for its own fields.
fn lower(ask: &Ask, kind: &Kind, wrong: &mut Vec<Wrong>) -> Expr {
    match ask {
        Ask::Const(value) => Expr::Const(*value),
        Ask::Not(inner) => lower(inner, kind, wrong).negated(),
        Ask::All(parts) | Ask::Any(parts) => {
            let is_all = matches!(ask, Ask::All(_));
            let mut found = Vec::new();
            let parts: Vec<_> = parts.iter().map(|part| lower(part, kind, &mut found)).collect();
            let expr = if is_all { Expr::all(parts) } else { Expr::any(parts) };
            if expr != Expr::Const(!is_all) {
                wrong.append(&mut found);
            }
            expr
        }
        Ask::Test(name, asked) => test(name, asked, kind, wrong),
        Ask::Executed { kin, of, span } => executed(*kin, of, span, wrong),
    }
}

/// What is asked of what a process or one before it executed. It is decided when that happens.
fn executed(kin: Kin, of: &Ask, span: &Range<usize>, wrong: &mut Vec<Wrong>) -> Expr {
    let asked = lower(of, &Kind::Exec, wrong);
    if asked == Expr::Const(false) {
        return asked;
    }
    let written = match kin {
        Kin::Own => "event of",
        Kin::Parent => "child of",
        Kin::Ancestor => "descendant of",
    };
    let field = match Execution::new(asked) {
        Ok(execution) => Field::Executed(kin, execution),
        Err(field) => {
            // What is wrong within was told.
            if !matches!(field, Field::Arg(_)) {
                let message = format!("of what processes executed before, the {field} is not known any more");
                wrong.push(Wrong::new(span.clone(), message));
            }
            field
        }
    };
    Expr::Atom(Atom { field, test: Test::Exists, written: written.into() })
}

/// What a name means, or what it is made of.
fn meaning_of(name: &Name, kind: &Kind, wrong: &mut Vec<Wrong>) -> Meaning {
    let Some(made) = &name.made else { return ecs::meaning(kind, &name.text) };
    let (mut inputs, mut is_null) = (Vec::new(), false);
    made.each_field(&mut |name| match ecs::meaning(kind, &name.text) {
        Meaning::Field(field) => inputs.push(field),
        Meaning::Words(words) => inputs.push(Field::Constant(words.first().copied().unwrap_or("").into())),
        Meaning::Outcome => inputs.push(Field::Outcome),
        Meaning::Result => inputs.push(ecs::result()),
        Meaning::Absent => is_null = true,
        why => {
            wrong.push(lacking(name, &why));
            inputs.push(Field::arg(&name.text));
        }
    });
    if is_null {
        return Meaning::Absent;
    }
    let key = format!("eql {}", name.text);
    Meaning::Field(Field::Computed(Computed::new(key, name.text.as_str(), inputs, Made::clone(made))))
}

fn test(name: &Name, asked: &Asked, kind: &Kind, wrong: &mut Vec<Wrong>) -> Expr {
    let meaning = meaning_of(name, kind, wrong);
    let field = match (meaning, asked) {
        (Meaning::Words(words), Asked::Test(test)) => {
            return Expr::Const(words.iter().any(|word| test.passes(Value::Text(word.as_bytes()))));
        }
        (Meaning::Words(words), Asked::Same(..)) => {
            Field::Constant(words.first().copied().unwrap_or("").into())
        }
        (Meaning::Outcome, Asked::Test(test)) => return outcome(name, test, Field::Outcome),
        (Meaning::Outcome, Asked::Same(..)) => Field::Outcome,
        (Meaning::Result, Asked::Test(test)) => return outcome(name, test, ecs::result()),
        (Meaning::Result, Asked::Same(..)) => ecs::result(),
        (Meaning::Field(field), _) => field,
        (Meaning::Absent, Asked::Test(test)) if *kind == Kind::Rename && name.text == OLD_EXTENSION => {
            return old_extension(name, test, wrong);
        }
        (Meaning::Absent, _) => return Expr::Const(false),
        (why, _) => {
            wrong.push(lacking(name, &why));
            // Neither true nor false, so that what is around it is read as well.
            Field::arg(&name.text)
        }
    };
    let written: Box<str> = name.text.as_str().into();
    let test = match asked {
        Asked::Test(test) => test.clone(),
        Asked::Same(other, case, shape) => match meaning_of(other, kind, wrong) {
            Meaning::Field(other) => Test::SameAs(other, *case, *shape),
            Meaning::Words(words) => {
                let word = words.first().copied().unwrap_or("").to_owned();
                Test::SameAs(Field::Constant(word.into()), *case, *shape)
            }
            Meaning::Outcome => Test::SameAs(Field::Outcome, *case, *shape),
            Meaning::Result => Test::SameAs(ecs::result(), *case, *shape),
            Meaning::Absent => return Expr::Const(false),
            why => {
                wrong.push(lacking(other, &why));
                Test::Exists
            }
        },
    };
    Expr::Atom(Atom { field, test, written })
}

/// Extension that a file had before it was renamed.
const OLD_EXTENSION: &str = "file.Ext.original.extension";

/// The same asked of the old name: what follows its last dot.
fn old_extension(name: &Name, test: &Test, wrong: &mut Vec<Wrong>) -> Expr {
    let (fold, patterns) = match test {
        Test::Exists => ("", vec![Pattern::Contains(Vec::new())]),
        Test::Fits(case, patterns) => (if *case == Case::Folded { "i" } else { "" }, patterns.clone()),
        _ => {
            wrong.push(Wrong::new(name.span.clone(), format!("{OLD_EXTENSION} is compared with texts")));
            return Expr::Const(false);
        }
    };
    let mut regexes = Vec::new();
    for pattern in patterns {
        let mut regex = format!(r"(?s{fold})\.");
        for piece in pattern.pieces() {
            match piece {
                Piece::Literal(text) => regex.push_str(&regex::escape(&String::from_utf8_lossy(&text))),
                Piece::One => regex.push_str("[^.]"),
                Piece::Many => regex.push_str("[^.]*"),
            }
        }
        regex.push('$');
        match compiled(&regex, &name.span) {
            Ok(regex) => regexes.push(regex),
            Err(error) => wrong.push(error),
        }
    }
    let field = Field::File(FileFact::OldName);
    Expr::Atom(Atom { field, test: Test::Regex(regexes), written: name.text.as_str().into() })
}

/// A call succeeded, or did not.
fn outcome(name: &Name, test: &Test, field: Field) -> Expr {
    let passes = |words: &[&str]| words.iter().any(|word| test.passes(Value::Text(word.as_bytes())));
    let success = || {
        let words = [&b"success"[..], b"1", b"yes"].map(|word| Pattern::Equals(word.to_vec()));
        let test = Test::Fits(Case::Folded, words.to_vec());
        Expr::Atom(Atom { field: field.clone(), test, written: name.text.as_str().into() })
    };
    match (passes(&["success"]), passes(&["failure", "fail"])) {
        (true, true) => Expr::Const(true),
        (true, false) => success(),
        (false, true) => success().negated(),
        (false, false) => Expr::Const(false),
    }
}
