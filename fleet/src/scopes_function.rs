//! `scopes('9:comm=ls 3:uid=0')`, the mask of an event by these scopes, and `matched(mask, n)`.
//!
//! A mask is of a row, and a function of SQL gets values. So a query that calls `scopes()` is rewritten before it is optimized:
//! the table gets a column for each text, and the call becomes that column, which the scan fills from the same pass over
//! the capture that chooses the rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray, cast::as_list_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, UInt64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, Result, ScalarValue, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TableScanBuilder, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::events_table::EventsTable;

pub const SCOPES: &str = "scopes";
pub const MATCHED: &str = "matched";

/// The functions, to be registered.
pub fn functions() -> [ScalarUDF; 2] {
    [ScalarUDF::from(Scopes::default()), ScalarUDF::from(Matched::default())]
}

/// The name of the column that holds the masks of a text.
pub fn column_of(text: &str) -> String {
    format!("scopes({text})")
}

/// The text that a column holds the masks of.
pub fn text_of(column: &str) -> Option<&str> {
    column.strip_prefix("scopes(")?.strip_suffix(')')
}

/// The function as it is written. It never runs: see [`PlaceScopes`].
#[derive(PartialEq, Eq, Hash, Debug)]
struct Scopes(Signature);

impl Default for Scopes {
    fn default() -> Scopes {
        // It has a value a row, so that no pass makes one of it for all rows.
        Scopes(Signature::exact(vec![DataType::Utf8], Volatility::Volatile))
    }
}

impl ScalarUDFImpl for Scopes {
    fn name(&self) -> &str {
        SCOPES
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!(
            "scopes() judges rows of the table events, and takes a text, such as scopes('9:comm=ls 3:uid=0')"
        )
    }
}

/// Whether a scope is in a mask of `scopes()`, or in a list of scopes as the columns `scopes` and `recorded_scopes` are.
#[derive(PartialEq, Eq, Hash, Debug)]
struct Matched(Signature);

impl Default for Matched {
    fn default() -> Matched {
        Matched(Signature::any(2, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Matched {
    fn name(&self) -> &str {
        MATCHED
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [mask, number]
                if (mask.is_integer() || matches!(mask, DataType::List(_))) && number.is_integer() =>
            {
                Ok(DataType::Boolean)
            }
            _ => plan_err!(
                "matched() takes a mask and the number of a scope, such as matched(scopes('9:comm=ls'), 9)"
            ),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [mask, number] = args.args.as_slice() else {
            return plan_err!("matched() takes a mask and a scope");
        };
        let mask = mask.to_array(args.number_rows)?;
        let number = cast(&number.to_array(args.number_rows)?, &DataType::Int64)?;
        let numbers = number.as_primitive::<Int64Type>();
        let answer: BooleanArray = if let DataType::List(_) = mask.data_type() {
            let lists = as_list_array(&mask);
            let has = |(list, number): (Option<Arc<dyn Array>>, Option<i64>)| {
                let (list, number) = (list?, number?);
                let list =
                    list.as_primitive_opt::<Int32Type>()?.values().iter().any(|it| i64::from(*it) == number);
                Some(list)
            };
            lists.iter().zip(numbers).map(has).collect()
        } else {
            let masks = cast(&mask, &DataType::UInt64)?;
            let has = |(mask, number): (Option<u64>, Option<i64>)| {
                let (mask, number) = (mask?, number?);
                Some((1..=64).contains(&number) && mask >> (number - 1) & 1 == 1)
            };
            masks.as_primitive::<UInt64Type>().iter().zip(numbers).map(has).collect()
        };
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}

/// Gives the table its columns of masks, and puts them where `scopes()` is called.
#[derive(Debug)]
pub struct PlaceScopes;

impl AnalyzerRule for PlaceScopes {
    fn name(&self) -> &str {
        "place_scopes"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut texts = BTreeSet::new();
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    texts.extend(called(expr)?);
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        if texts.is_empty() {
            return Ok(plan);
        }
        let texts: Vec<String> = texts.into_iter().collect();
        Ok(plan.transform_up_with_subqueries(|node| place(node, &texts))?.data)
    }
}

/// The text of a call.
fn called(expr: &Expr) -> Result<Option<String>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return Ok(None) };
    if func.name() != SCOPES {
        return Ok(None);
    }
    let arg = args.first().map(|arg| match arg {
        Expr::Cast(cast) => &*cast.expr,
        other => other,
    });
    match arg {
        Some(Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
            _,
        )) => Ok(Some(text.clone())),
        _ => plan_err!(
            "scopes() takes a text, such as scopes('9:comm=ls 3:uid=0'): it is read before rows are"
        ),
    }
}

fn place(node: LogicalPlan, texts: &[String]) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::TableScan(scan) = &node {
        let provider = source_as_provider(&scan.source)?;
        let Some(table) = provider.downcast_ref::<EventsTable>() else { return Ok(Transformed::no(node)) };
        let table = table.with_scopes(texts)?;
        let scan = TableScanBuilder::new(scan.table_name.clone(), provider_as_source(Arc::new(table)))
            .with_projection(scan.projection.clone())
            .with_filters(scan.filters.clone())
            .with_fetch(scan.fetch)
            .build()?;
        return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
    }
    let inputs: Vec<Column> = node.inputs().iter().flat_map(|input| input.schema().columns()).collect();
    let names = NamePreserver::new(&node);
    let placed = node.map_expressions(|expr| {
        let saved = names.save(&expr);
        let placed = expr.transform_up(|expr| match called(&expr)? {
            Some(text) => Ok(Transformed::yes(Expr::Column(mask(&text, &inputs)?))),
            None => Ok(Transformed::no(expr)),
        })?;
        Ok(if placed.transformed { placed.update_data(|expr| saved.restore(expr)) } else { placed })
    })?;
    Ok(Transformed::yes(placed.data.recompute_schema()?))
}

fn mask(text: &str, inputs: &[Column]) -> Result<Column> {
    let name = column_of(text);
    let mut of = inputs.iter().filter(|column| column.name == name);
    match (of.next(), of.next()) {
        (Some(column), None) => Ok(column.clone()),
        (None, _) => plan_err!(
            "scopes('{text}') judges rows of the table events: call it where these are selected from"
        ),
        _ => Err(DataFusionError::Plan(format!(
            "scopes('{text}') may be of several tables here: call it in a subquery of each"
        ))),
    }
}
