//! Stage: query. In: the query string of a request. Out: a typed filter.

use std::str::FromStr;

use aitrace_model::{SpanId, Timestamp, TraceId, TraceStatus};
use aitrace_store::{Cursor, DocumentCursor, Filter, FilterError, PageRequest, ProjectScope, TraceFilter};
use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Kind, Result};

/// Parameters of the list of traces. An empty value is no value.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    project: Option<String>,
    session_id: Option<String>,
    status: Option<String>,
    q: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    /// Of exports.
    format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeParams {
    project: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveParams {
    project: Option<String>,
    q: Option<String>,
    trace_id: Option<String>,
    last_event_id: Option<String>,
}

/// Which traces to list, and which page of them.
pub(crate) fn list(uri: &Uri) -> Result<(TraceFilter, PageRequest)> {
    listed(read(uri)?)
}

fn listed(params: ListParams) -> Result<(TraceFilter, PageRequest)> {
    if params.format.is_some() {
        return Err(bad("a list has no format", "/api/export has."));
    }
    let filter = TraceFilter {
        scope: scope(params.project),
        session_id: given(params.session_id),
        status: given(params.status).map(|status| word(&status)).transpose()?,
        filter: given(params.q).map(|q| filter(&q)).transpose()?.unwrap_or_default(),
        since: given(params.since).map(|since| time("since", &since)).transpose()?,
        until: given(params.until).map(|until| time("until", &until)).transpose()?,
    };
    let mut page = PageRequest::default();
    if let Some(text) = given(params.limit) {
        page.limit = limit(&text)?;
    }
    if let Some(text) = given(params.cursor) {
        page.cursor = Some(cursor(&text)?);
    }
    Ok((filter, page))
}

/// Forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportForm {
    Jsonl,
    Otlp,
    Parquet,
}

/// Which traces to export, and in which form.
pub(crate) fn export(uri: &Uri) -> Result<(TraceFilter, ExportForm)> {
    let mut params: ListParams = read(uri)?;
    let form = match given(params.format.take()).as_deref() {
        None | Some("jsonl") => ExportForm::Jsonl,
        Some("otlp") => ExportForm::Otlp,
        Some("parquet") => ExportForm::Parquet,
        Some(_) => return Err(bad("format is none of those that exist", "Use jsonl, otlp or parquet.")),
    };
    let (filter, page) = listed(params)?;
    if page != PageRequest::default() {
        return Err(bad("an export has no pages", "Leave limit and cursor away."));
    }
    Ok((filter, form))
}

/// Which projects to look into.
pub(crate) fn project(uri: &Uri) -> Result<ProjectScope> {
    Ok(scope(read::<ScopeParams>(uri)?.project))
}

/// Where to look for a span, and whether its place in the tree is asked for.
pub(crate) fn span(uri: &Uri) -> Result<(ProjectScope, bool)> {
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        project: Option<String>,
        place: Option<String>,
    }
    let params: Params = read(uri)?;
    let place = match given(params.place).as_deref() {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(bad("place is neither true nor false", "Leave it away for true.")),
    };
    Ok((scope(params.project), place))
}

/// Which scores to list.
#[derive(Debug)]
pub(crate) struct ScoreParams {
    pub(crate) scope: ProjectScope,
    /// By what they are found; all must hold.
    pub(crate) references: Vec<String>,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<DocumentCursor>,
}

/// Which scores to list, and which page of them.
pub(crate) fn scores(uri: &Uri) -> Result<ScoreParams> {
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        project: Option<String>,
        trace_id: Option<String>,
        span_id: Option<String>,
        session_id: Option<String>,
        run_id: Option<String>,
        name: Option<String>,
        limit: Option<String>,
        cursor: Option<String>,
    }
    let params: Params = read(uri)?;
    let trace = given(params.trace_id).map(|id| trace_id(&id)).transpose()?;
    let found_by = [
        ("trace", trace.map(TraceId::to_hex)),
        ("span", given(params.span_id).map(|id| id.to_ascii_lowercase())),
        ("session", given(params.session_id)),
        ("run", given(params.run_id)),
        ("name", given(params.name)),
    ];
    let named = |(name, value): (&str, Option<String>)| Some(format!("{name}:{}", value?));
    let cursor = given(params.cursor).map(|text| text.parse()).transpose();
    Ok(ScoreParams {
        scope: scope(params.project),
        references: found_by.into_iter().filter_map(named).collect(),
        limit: given(params.limit).map_or(Ok(100), |text| limit(&text))?,
        cursor: cursor
            .map_err(|_| bad("cursor is not one that this server gave out", "Begin without a cursor."))?,
    })
}

/// Which events to tell.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) scope: ProjectScope,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) filter: Filter,
    /// The id of the last event that the reader heard.
    pub(crate) last: Option<String>,
}

/// Which events to tell.
pub(crate) fn live(uri: &Uri) -> Result<Wanted> {
    let params: LiveParams = read(uri)?;
    Ok(Wanted {
        scope: scope(params.project),
        trace_id: given(params.trace_id).map(|id| trace_id(&id)).transpose()?,
        filter: given(params.q).map(|q| filter(&q)).transpose()?.unwrap_or_default(),
        last: given(params.last_event_id),
    })
}

/// A span id from a path.
pub(crate) fn span_id(text: &str) -> Result<SpanId> {
    SpanId::from_str(text).map_err(|error| bad(error.to_string(), ""))
}

/// A trace id from a path or a query.
pub(crate) fn trace_id(text: &str) -> Result<TraceId> {
    TraceId::from_str(text).map_err(|error| bad(error.to_string(), ""))
}

/// The parameters of a query.
pub(crate) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T> {
    let Query(params) = Query::try_from_uri(uri).map_err(|error| {
        bad(format!("the query cannot be read: {}", error.body_text()), "Name each parameter at most once.")
    })?;
    Ok(params)
}

/// A value that is not empty.
pub(crate) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The project that was asked for.
pub(crate) fn scope(project: Option<String>) -> ProjectScope {
    given(project).map_or(ProjectScope::All, ProjectScope::One)
}

/// The filter that a text says.
pub(crate) fn filter(text: &str) -> Result<Filter> {
    text.parse().map_err(|error: FilterError| {
        let hint = error.hint.clone();
        bad(format!("q: {error}"), hint)
    })
}

fn word(text: &str) -> Result<TraceStatus> {
    TraceStatus::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = TraceStatus::ALL.iter().map(|status| status.as_str()).collect();
        bad("status is none of those that exist", format!("Use {}.", words.join(", ")))
    })
}

/// A time.
pub(crate) fn time(name: &str, text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error| bad(format!("{name}: {error}"), "Write + as %2B in a query."))
}

/// How many there may be.
pub(crate) fn limit(text: &str) -> Result<usize> {
    let limit = text.parse().ok().filter(|limit| (1..=1000).contains(limit));
    limit.ok_or_else(|| bad("limit must be a number from 1 to 1000", "Use cursor for what follows."))
}

/// A place in a list of traces.
pub(crate) fn cursor(text: &str) -> Result<Cursor> {
    text.parse().map_err(|_| bad("cursor is not one that this server gave out", "Begin without a cursor."))
}

/// A refusal.
pub(crate) fn bad(
    message: impl Into<std::borrow::Cow<'static, str>>,
    hint: impl Into<std::borrow::Cow<'static, str>>,
) -> ApiError {
    ApiError::new(Kind::BadRequest, message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<(TraceFilter, PageRequest)> {
        list(&format!("/api/traces?{query}").parse().unwrap())
    }

    #[test]
    fn all_parameters_are_read() {
        let (filter, page) = parse(
            "project=a%20b&session_id=s&status=lost&q=%C3%A9&since=2026-01-31T12:00:00%2B01:00&until=&limit=7\
             &cursor=-5.01010101010101010101010101010101.a.b",
        )
        .unwrap();
        assert_eq!(filter.scope, ProjectScope::One("a b".to_owned()));
        assert_eq!(filter.session_id.as_deref(), Some("s"));
        assert_eq!(filter.status, Some(TraceStatus::Lost));
        assert_eq!(filter.filter.to_string(), "é");
        assert_eq!(filter.since, Some("2026-01-31T11:00:00Z".parse().unwrap()));
        assert_eq!(filter.until, None);
        assert_eq!(page.limit, 7);
        assert_eq!(page.cursor.unwrap().project, "a.b");
        assert_eq!(parse("").unwrap(), (TraceFilter::default(), PageRequest::default()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=1e3",
            "limit=99999999999999999999",
            "status=OK",
            "since=now",
            "until=2026-02-30T00:00:00Z",
            "cursor=1",
            "cursor=1.0.x",
            "q=a&q=b",
            "unknown=1",
            "project=%FF&",
        ] {
            let refused = parse(bad).map_or_else(|error| error.kind() == Kind::BadRequest, |_| false);
            // Bytes that are not UTF-8 become a project that does not exist.
            assert!(refused || bad.starts_with("project"), "{bad}");
        }
    }

    #[test]
    fn live_takes_a_trace() {
        let uri = |query: &str| format!("/api/live?{query}").parse::<Uri>().unwrap();
        let wanted = live(&uri("trace_id=01010101010101010101010101010101&last_event_id=e-1")).unwrap();
        assert_eq!((wanted.scope, wanted.trace_id), (ProjectScope::All, TraceId::from_bytes([1; 16])));
        assert_eq!(wanted.last.as_deref(), Some("e-1"));
        assert!(live(&uri("trace_id=1")).is_err());
        assert!(project(&uri("trace_id=1")).is_err());
    }
}
