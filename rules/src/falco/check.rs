//! A comparison to an expression.

use scopes::nearest;

use super::fields::{self, Meaning};
use super::lower::{Lower, Read, Target};
use super::operators::{addresses, test};
use super::parse::{Check, Name, Place, Value};
use super::transform::{self, Part, Transform};
use crate::form::{
    Atom, Case, Computed, ContainerFact, Expr, Field, FieldShape, FileFact, Pattern, ProcessFact, SocketFact,
    Test, Who,
};

impl Lower {
    pub fn check(&mut self, check: &Check, target: &Target<'_>) -> Read<Expr> {
        let wrong = |message: String| Box::new(check.place.error(message));
        let mut folds = false;
        let mut shortens = false;
        for function in &check.field.functions {
            match function.as_str() {
                "tolower" | "toupper" => folds = true,
                "basename" => shortens = true,
                _ => {}
            }
        }
        let name = check.field.name.as_str();
        let makes = |function: &String| matches!(function.as_str(), "b64" | "len");
        let is_made = !check.field.parts.is_empty() || check.field.functions.iter().any(makes);
        if is_made {
            folds = false;
        }
        if name == "evt.type" {
            return Ok(Expr::Const(
                test(check, folds).map_err(wrong)?.passes(crate::form::Value::Text(target.name.as_bytes())),
            ));
        }
        let meaning = match self.made(&check.field, target, &check.place)? {
            Some(Some(field)) if is_made => Meaning::Field(field),
            None if is_made => Meaning::Missing,
            Some(None) if is_made => {
                return Err(wrong(format!(
                    "functions are not asked of {name}, which has no value of its own"
                )));
            }
            _ => fields::meaning(target.kind, name, check.field.argument.as_deref()),
        };
        let field = match meaning {
            Meaning::Unknown => {
                let error = check.place.error(format!("the field {name:?} is not known"));
                let known = fields::KNOWN;
                return Err(Box::new(error.suggesting(nearest(name, known)).allowing(known.join(", "))));
            }
            Meaning::Refused(why) => return Err(wrong(format!("{name} cannot be asked: {why}"))),
            Meaning::Missing => return Ok(Expr::Const(false)),
            Meaning::Text(text) => return constant(check, folds, crate::form::Value::Text(text.as_bytes())),
            Meaning::Number(number) => {
                return constant(check, folds, crate::form::Value::Number(number.into()));
            }
            Meaning::Holds(expr) => {
                if name == "fd.name_changed" {
                    self.notes.push("which address a socket had before a call is not known".into());
                }
                return boolean(check, expr);
            }
            Meaning::Container => return container(check).map_err(wrong),
            Meaning::Field(field) if shortens && !is_made => match shortened(&field) {
                Some(field) => field,
                None => match self.made(&check.field, target, &check.place)? {
                    Some(Some(field)) => field,
                    _ => return Ok(Expr::Const(false)),
                },
            },
            Meaning::Field(field) => field,
        };
        let written = || format!("{name} {}", check.op).into_boxed_str();
        let exists = || Expr::Atom(Atom { field: field.clone(), test: Test::Exists, written: name.into() });
        if check.op == "exists" {
            return Ok(exists());
        }
        let is_address = matches!(field, Field::Socket(_, SocketFact::Address));
        let is_negative = check.op == "!=";
        let positive = if let Some(Value::Field(other)) = check.values.first() {
            let other = match self.made(other, target, &check.place)? {
                Some(Some(field)) => field,
                Some(None) => return Err(wrong(format!("{} cannot be compared with", other.name))),
                None => return Ok(Expr::Const(false)),
            };
            let shape = match check.op.as_str() {
                "=" | "==" | "!=" => FieldShape::Equals,
                "contains" | "icontains" => FieldShape::Contains,
                "startswith" => FieldShape::Prefix,
                "endswith" => FieldShape::Suffix,
                op => return Err(wrong(format!("{op} does not compare two fields"))),
            };
            let case = if folds || check.op == "icontains" { Case::Folded } else { Case::Exact };
            Expr::Atom(Atom {
                field: field.clone(),
                test: Test::SameAs(other, case, shape),
                written: written(),
            })
        } else if check.quantifier.as_deref() == Some("allof") {
            let mut all = Vec::new();
            for value in &check.values {
                let one = Check { values: vec![value.clone()], quantifier: None, ..check.clone() };
                all.push(Expr::Atom(Atom {
                    field: field.clone(),
                    test: test(&one, folds).map_err(wrong)?,
                    written: written(),
                }));
            }
            Expr::all(all)
        } else {
            let test = if is_address { addresses(check) } else { test(check, folds) }.map_err(wrong)?;
            Expr::Atom(Atom { field: field.clone(), test, written: written() })
        };
        // What has no value makes every operator false, this one too.
        Ok(if is_negative { Expr::all([exists(), positive.negated()]) } else { positive })
    }

    /// The field that functions make of others, or the field itself where there are none. `None`: the rows do not have it;
    /// `Some(None)`: it is no field.
    fn made(&self, name: &Name, target: &Target<'_>, place: &Place) -> Read<Option<Option<Field>>> {
        let wrong = |message: String| Box::new(place.error(message));
        for function in &name.functions {
            if !transform::KNOWN.contains(&function.as_str()) {
                let error = place.error(format!("the function {function:?} is not asked"));
                let close = nearest(function, transform::KNOWN);
                return Err(Box::new(error.suggesting(close).allowing(transform::KNOWN.join(", "))));
            }
        }
        let mut inputs: Vec<Field> = Vec::new();
        let mut parts = Vec::new();
        let mut separator = None;
        let mut given = name.parts.as_slice();
        match (name.name.as_str(), given.split_first()) {
            ("join", Some((Value::Text(text), rest))) => {
                separator = Some(text.clone().into_bytes());
                given = rest;
            }
            ("join", Some(_)) => {
                return Err(wrong("join is given what stands between its fields first, as a text".into()));
            }
            ("concat", Some(_)) => separator = Some(Vec::new()),
            ("join" | "concat", None) => return Err(wrong(format!("{} puts fields together", name.name))),
            _ => {}
        }
        let own = [Value::Field(Name { functions: Vec::new(), parts: Vec::new(), ..name.clone() })];
        let given = if separator.is_some() { given } else { &own };
        for part in given {
            match part {
                Value::Text(text) => parts.push(Part::Text(text.clone().into_bytes())),
                Value::Field(field) if separator.is_some() => match self.made(field, target, place)? {
                    Some(Some(field)) => {
                        parts.push(Part::Input(inputs.len()));
                        inputs.push(field);
                    }
                    other => return Ok(other),
                },
                Value::Field(field) => {
                    match fields::meaning(target.kind, &field.name, field.argument.as_deref()) {
                        Meaning::Field(field) => {
                            parts.push(Part::Input(inputs.len()));
                            inputs.push(field);
                        }
                        Meaning::Text(text) => parts.push(Part::Text(text.as_bytes().to_vec())),
                        Meaning::Number(number) => parts.push(Part::Text(number.to_string().into_bytes())),
                        Meaning::Missing => return Ok(None),
                        Meaning::Unknown => {
                            let error = place.error(format!("the field {:?} is not known", field.name));
                            let known = fields::KNOWN;
                            return Err(Box::new(
                                error.suggesting(nearest(&field.name, known)).allowing(known.join(", ")),
                            ));
                        }
                        Meaning::Refused(why) => {
                            return Err(wrong(format!("{} cannot be asked: {why}", field.name)));
                        }
                        Meaning::Holds(_) | Meaning::Container => return Ok(Some(None)),
                    }
                }
            }
        }
        if let ([field], true, None) = (inputs.as_slice(), name.functions.is_empty(), &separator) {
            return Ok(Some(Some(field.clone())));
        }
        let is_list = matches!(inputs.as_slice(), [Field::Process(Who::AnyAncestor, _)]);
        let written = written(name);
        let key = format!("falco {written}");
        let transform = Transform { functions: name.functions.clone(), parts, separator, is_list };
        Ok(Some(Some(Field::Computed(Computed::new(key, written, inputs, transform)))))
    }
}

/// A field with its functions as it is written.
fn written(name: &Name) -> String {
    let inner = match &name.argument {
        Some(argument) => format!("{}[{argument}]", name.name),
        None if name.parts.is_empty() => name.name.clone(),
        None => {
            let parts = name.parts.iter().map(|part| match part {
                Value::Text(text) => format!("{text:?}"),
                Value::Field(field) => written(field),
            });
            format!("{}({})", name.name, parts.collect::<Vec<_>>().join(", "))
        }
    };
    name.functions.iter().rev().fold(inner, |inner, function| format!("{function}({inner})"))
}

fn constant(check: &Check, folds: bool, value: crate::form::Value<'_>) -> Read<Expr> {
    if check.op == "exists" {
        return Ok(Expr::Const(true));
    }
    let passes = test(check, folds).map_err(|message| Box::new(check.place.error(message)))?.passes(value);
    Ok(Expr::Const(passes != (check.op == "!=")))
}

fn boolean(check: &Check, expr: Expr) -> Read<Expr> {
    let given = match check.values.first() {
        Some(Value::Text(text)) => text.as_str(),
        _ => "true",
    };
    let is_equal = match check.op.as_str() {
        "=" | "==" | "in" => true,
        "!=" => false,
        "exists" => return Ok(Expr::Const(true)),
        op => return Err(Box::new(check.place.error(format!("{op} does not fit what is true or false")))),
    };
    match given {
        "true" | "1" => Ok(if is_equal { expr } else { expr.negated() }),
        "false" | "0" => Ok(if is_equal { expr.negated() } else { expr }),
        other => Err(Box::new(check.place.error(format!("{other:?} is neither true nor false")))),
    }
}

/// `host` outside of containers, else the beginning of the id.
fn container(check: &Check) -> Result<Expr, String> {
    let field = Field::Container(ContainerFact::Id);
    let atom = |test| Expr::Atom(Atom { field: field.clone(), test, written: "container.id".into() });
    let mut any = Vec::new();
    for value in &check.values {
        let Value::Text(text) = value else { return Err("container.id is compared with texts".into()) };
        any.push(match (check.op.as_str(), text.as_str()) {
            ("=" | "==" | "!=" | "in", "host") => atom(Test::Exists).negated(),
            // Falco fills it in late; here it is known or there is none.
            ("=" | "==" | "!=" | "in", "" | "<NA>") => Expr::Const(false),
            ("=" | "==" | "!=" | "in" | "startswith", text) => {
                atom(Test::Fits(Case::Exact, vec![Pattern::Prefix(text.as_bytes().to_vec())]))
            }
            (op, _) => return Err(format!("{op} does not fit container.id")),
        });
    }
    let any = Expr::any(any);
    Ok(match check.op.as_str() {
        "exists" => Expr::Const(true),
        "!=" => any.negated(),
        _ => any,
    })
}

fn shortened(field: &Field) -> Option<Field> {
    Some(match field {
        Field::Process(who, ProcessFact::Exe) => Field::Process(*who, ProcessFact::Name),
        Field::File(FileFact::Path) => Field::File(FileFact::Name),
        Field::File(FileFact::OldPath) => Field::File(FileFact::OldName),
        Field::Descriptor(crate::form::DescriptorFact::Name) => {
            Field::Descriptor(crate::form::DescriptorFact::FileName)
        }
        _ => return None,
    })
}
