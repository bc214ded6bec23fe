//! What the model may call.

use serde_json::{Value, json};

/// Why a tool failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The model made a tool up.
    #[error("no tool of the name {0:?}")]
    Unknown(String),
    /// The model gave arguments that make no sense.
    #[error("{tool} needs {needs}")]
    Arguments {
        /// The tool.
        tool: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// The service behind the tool is away.
    #[error("{0} did not answer within 2 s")]
    Away(&'static str),
}

/// How the tools are described to the model.
pub(crate) fn descriptions() -> Value {
    let tool = |name: &str, argument: &str| {
        let properties = json!({argument: {"type": "integer"}});
        let parameters = json!({"type": "object", "properties": properties, "required": [argument]});
        json!({"type": "function", "function": {"name": name, "parameters": parameters}})
    };
    json!([tool("lookup_order", "order"), tool("refund_policy", "order")])
}

/// Calls a tool by its name.
pub(crate) fn call(name: &str, arguments: &Value) -> Result<String, ToolError> {
    let order = |tool| {
        let order = arguments.get("order").and_then(Value::as_u64);
        order.ok_or(ToolError::Arguments { tool, needs: "the number of an order" })
    };
    match name {
        "lookup_order" => lookup_order(order("lookup_order")?),
        "refund_policy" => refund_policy(order("refund_policy")?),
        other => Err(ToolError::Unknown(other.to_owned())),
    }
}

#[aitrace::trace(event_type = "tool")]
fn lookup_order(order: u64) -> Result<String, ToolError> {
    aitrace::enrich_span(aitrace::Enrich::new().metadata("order", order).metric("hits", 1));
    Ok(format!("order {order}: sent on Monday, arrives on Thursday"))
}

/// Fails always: so it is seen how a failure looks.
#[aitrace::trace(event_type = "tool")]
fn refund_policy(order: u64) -> Result<String, ToolError> {
    tracing::debug!(order, "asks the refund service");
    Err(ToolError::Away("the refund service"))
}
