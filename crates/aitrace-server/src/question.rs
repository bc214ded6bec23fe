//! Stage: query. In: the query string of a request. Out: what to search, sum up or list besides traces.

use aitrace_model::Timestamp;
use aitrace_store::{
    Dimension, Filter, ProjectScope, Search, SessionFilter, SessionPageRequest, StatisticsQuery,
};
use axum::http::Uri;
use serde::Deserialize;

use crate::error::{ApiError, Result};
use crate::query::{bad, filter, given, limit, read, scope, time};

/// The span of time of statistics where none is given.
const DAY: i64 = 86_400_000_000_000;
/// Buckets where no length is given, at most.
const BUCKETS: i64 = 60;
/// Lengths of buckets that are chosen, in nanoseconds: 1 s, 10 s, 1 min, 5 min, 15 min, 1 h, 6 h, 1 d, 7 d.
const LENGTHS: [i64; 9] = [
    1_000_000_000,
    10_000_000_000,
    60_000_000_000,
    300_000_000_000,
    900_000_000_000,
    3_600_000_000_000,
    21_600_000_000_000,
    DAY,
    7 * DAY,
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchParams {
    q: Option<String>,
    project: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionParams {
    q: Option<String>,
    project: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatsParams {
    q: Option<String>,
    project: Option<String>,
    since: Option<String>,
    until: Option<String>,
    by: Option<String>,
    bucket: Option<String>,
    of: Option<String>,
    groups: Option<String>,
}

/// What to search for.
pub(crate) fn search(uri: &Uri) -> Result<Search> {
    let params: SearchParams = read(uri)?;
    let Some(q) = given(params.q) else {
        return Err(bad("q is missing", "Say what to search for, like q=timeout or q=model:gpt-4*."));
    };
    let asked = filter(&q)?;
    if asked.is_everything() {
        return Err(bad("q asks for nothing", "Say what to search for, like q=timeout."));
    }
    let mut search = Search::of(&asked);
    search.scope = scope(params.project);
    search.since = given(params.since).map(|since| time("since", &since)).transpose()?;
    search.until = given(params.until).map(|until| time("until", &until)).transpose()?;
    if let Some(text) = given(params.limit) {
        search.limit = limit(&text)?;
    }
    search.after = given(params.cursor).map(|text| text.parse().map_err(|_| no_cursor())).transpose()?;
    Ok(search)
}

/// Which sessions to list. `q` is a text in their name or id.
pub(crate) fn sessions(uri: &Uri) -> Result<(SessionFilter, SessionPageRequest)> {
    let params: SessionParams = read(uri)?;
    let filter = SessionFilter {
        scope: scope(params.project),
        query: given(params.q),
        since: given(params.since).map(|since| time("since", &since)).transpose()?,
        until: given(params.until).map(|until| time("until", &until)).transpose()?,
    };
    let mut page = SessionPageRequest::default();
    if let Some(text) = given(params.limit) {
        page.limit = limit(&text)?;
    }
    if let Some(text) = given(params.cursor) {
        page.cursor = Some(text.parse().map_err(|_| no_cursor())?);
    }
    Ok((filter, page))
}

fn no_cursor() -> ApiError {
    bad("cursor is not one that this server gave out", "Begin without a cursor.")
}

/// What to sum up: by default the day before `now` from a whole bucket on, in at most 60 buckets.
pub(crate) fn statistics(uri: &Uri, now: Timestamp) -> Result<StatisticsQuery> {
    let params: StatsParams = read(uri)?;
    let until = given(params.until).map(|until| time("until", &until)).transpose()?;
    let until = until.unwrap_or_else(|| now.saturating_add(1));
    let asked = given(params.since).map(|since| time("since", &since)).transpose()?;
    let since = asked.unwrap_or_else(|| until.saturating_add(-DAY));
    let mut query = StatisticsQuery::new(since, until);
    query.scope = scope(params.project);
    query.filter = given(params.q).map_or_else(|| Ok(Filter::default()), |q| filter(&q))?;
    query.by = given(params.by).map(|word| dimension(&word)).transpose()?;
    query.bucket_ns = match given(params.bucket).as_deref() {
        None | Some("auto") => Some(bucket(until.since(since))),
        Some("none") => None,
        Some(text) => Some(duration(text)?),
    };
    // Nobody said when it begins: with a whole bucket, so that the store need not cut its sums.
    if let (None, Some(length)) = (asked, query.bucket_ns) {
        query.since = since.saturating_add(-since.nanos().rem_euclid(length));
    }
    query.roots = match given(params.of).as_deref() {
        None | Some("spans") => false,
        Some("traces") => true,
        Some(_) => return Err(bad("of is neither spans nor traces", "Use of=spans or of=traces.")),
    };
    if let Some(text) = given(params.groups) {
        query.groups = limit(&text)?;
    }
    Ok(query)
}

/// The projects that statistics are asked of.
pub(crate) fn narrowed(mut query: StatisticsQuery, scope: ProjectScope) -> StatisticsQuery {
    query.scope = scope;
    query
}

fn dimension(word: &str) -> Result<Dimension> {
    Dimension::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Dimension::ALL.iter().map(|dimension| dimension.as_str()).collect();
        bad("by is none of the dimensions that exist", format!("Use {}.", words.join(", ")))
    })
}

fn bucket(span: i64) -> i64 {
    LENGTHS.into_iter().find(|length| span / length <= BUCKETS).unwrap_or((span / BUCKETS).max(1))
}

/// The one reader of lengths of time is that of filters.
fn duration(text: &str) -> Result<i64> {
    aitrace_store::duration(text).filter(|nanos| *nanos > 0).ok_or_else(|| {
        bad("bucket is no length of time", "Write a number and s, m, h or d, like 15m; or auto, or none.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn statistics_choose_their_buckets() {
        let now = Timestamp::from_nanos(10 * DAY);
        let ask = |query: &str| statistics(&format!("/api/stats?{query}").parse().unwrap(), now);
        let query = ask("").unwrap();
        assert_eq!((query.since.nanos(), query.until.nanos()), (9 * DAY, 10 * DAY + 1));
        assert_eq!(query.bucket_ns, Some(3_600_000_000_000));
        let noon = statistics(&"/api/stats".parse().unwrap(), Timestamp::from_nanos(10 * DAY + DAY / 2 + 7))
            .unwrap();
        assert_eq!(noon.since.nanos(), 9 * DAY + DAY / 2, "a whole hour");
        let query = ask("since=1970-01-10T23:00:00Z&by=model&bucket=90s&of=traces&q=kind:llm").unwrap();
        assert_eq!((query.bucket_ns, query.roots), (Some(90_000_000_000), true));
        assert_eq!((query.by, query.filter.to_string().as_str()), (Some(Dimension::Model), "kind:llm"));
        assert_eq!(ask("bucket=none").unwrap().bucket_ns, None);
        for wrong in
            ["by=colour", "bucket=0s", "bucket=x", "of=x", "groups=0", "q=x:", "nonsense=1", "since=x"]
        {
            assert_eq!(ask(wrong).unwrap_err().kind(), Kind::BadRequest, "{wrong}");
        }
    }

    #[test]
    fn a_search_needs_something_to_search() {
        let ask = |query: &str| search(&format!("/api/search?{query}").parse().unwrap());
        let found = ask("q=model:x%20two%20words&limit=3").unwrap();
        assert_eq!((found.text.as_str(), found.limit), ("two", 3));
        assert_eq!(found.filter.to_string(), "model:x words");
        assert_eq!(ask("q=a&cursor=-7").unwrap().after.map(|at| at.to_string()).as_deref(), Some("-7"));
        for wrong in ["", "q=", "q=%20", "q=a&limit=0", "q=(a", "q=a&cursor=x"] {
            assert_eq!(ask(wrong).unwrap_err().kind(), Kind::BadRequest, "{wrong}");
        }
    }
}
