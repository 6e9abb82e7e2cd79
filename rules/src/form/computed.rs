//! Values that are computed of other fields of the row: `basename(pathname)`, `len(proc.cmdline)`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Field, Value};

/// Distinct inputs whose results are kept, and their bytes; more than that are computed again.
const MAX_KNOWN: usize = 1 << 14;
const MAX_KNOWN_BYTES: usize = 8 << 20;

/// A value that does not depend on the row any more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Owned {
    Number(i128),
    Text(Box<[u8]>),
}

impl Owned {
    pub fn of(value: Value<'_>) -> Owned {
        match value {
            Value::Number(number) => Owned::Number(number),
            Value::Text(text) => Owned::Text(text.into()),
        }
    }

    pub fn text(text: impl Into<Vec<u8>>) -> Owned {
        Owned::Text(text.into().into_boxed_slice())
    }

    pub fn value(&self) -> Value<'_> {
        match self {
            Owned::Number(number) => Value::Number(*number),
            Owned::Text(text) => Value::Text(text),
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Owned::Number(_) => size_of::<i128>(),
            Owned::Text(text) => text.len(),
        }
    }
}

/// What makes values of the values of other fields.
pub trait Function: Send + Sync {
    /// `inputs`: the values of each field, none of one that is missing. What cannot be computed has no value.
    fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned>;
}

/// A function and the fields that it is asked of. It is asked once for each combination of values.
#[derive(Clone)]
pub struct Computed(Arc<Inner>);

struct Inner {
    /// Says all that the function does: two with one key, over the same fields, are one.
    key: Box<str>,
    /// As the rule writes it.
    written: Box<str>,
    inputs: Vec<Field>,
    function: Box<dyn Function>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    results: HashMap<Vec<Vec<Owned>>, Arc<[Owned]>>,
    bytes: usize,
}

impl Computed {
    pub fn new(
        key: impl Into<Box<str>>,
        written: impl Into<Box<str>>,
        inputs: Vec<Field>,
        function: impl Function + 'static,
    ) -> Computed {
        let (key, written, function) = (key.into(), written.into(), Box::new(function));
        Computed(Arc::new(Inner { key, written, inputs, function, known: Mutex::default() }))
    }

    pub fn inputs(&self) -> &[Field] {
        &self.0.inputs
    }

    pub fn written(&self) -> &str {
        &self.0.written
    }

    pub fn values(&self, inputs: Vec<Vec<Owned>>) -> Arc<[Owned]> {
        // A function that panicked has left nothing half done in there.
        let known = || self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = known().results.get(&inputs) {
            return Arc::clone(result);
        }
        let result: Arc<[Owned]> = self.0.function.values(&inputs).into();
        let all = inputs.iter().flatten().chain(result.iter());
        let bytes = all.map(|it| it.bytes() + size_of::<Owned>()).sum::<usize>();
        let mut known = known();
        if known.results.len() >= MAX_KNOWN || known.bytes + bytes > MAX_KNOWN_BYTES {
            *known = Known::default();
        }
        if bytes <= MAX_KNOWN_BYTES {
            known.bytes += bytes;
            known.results.insert(inputs, Arc::clone(&result));
        }
        result
    }

    fn key(&self) -> (&str, &[Field]) {
        (&self.0.key, &self.0.inputs)
    }
}

impl PartialEq for Computed {
    fn eq(&self, other: &Computed) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Computed {}

impl Hash for Computed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Computed {
    fn partial_cmp(&self, other: &Computed) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Computed {
    fn cmp(&self, other: &Computed) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Debug for Computed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Computed").field(&self.key()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_function_is_asked_once_for_each_combination_of_values() {
        struct Counted(Arc<AtomicUsize>);
        impl Function for Counted {
            fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned> {
                self.0.fetch_add(1, Ordering::Relaxed);
                inputs.iter().flatten().cloned().collect()
            }
        }
        let asked = Arc::new(AtomicUsize::new(0));
        let computed = Computed::new("all", "all", vec![Field::Event], Counted(Arc::clone(&asked)));
        let one = vec![vec![Owned::text("a")], vec![]];
        for _ in 0..3 {
            assert_eq!(*computed.values(one.clone()), [Owned::text("a")]);
        }
        // Which of two fields has the value is part of what is asked.
        assert_eq!(*computed.values(vec![vec![], vec![Owned::text("a")]]), [Owned::text("a")]);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
