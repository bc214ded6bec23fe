//! The table of routes. The router is built from it, so that a route without a policy cannot exist.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use aitrace_otlp::Encoding;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, any};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::admission;
use crate::app::App;
use crate::auth::{Scope, hex};
use crate::error::{ApiError, Kind, Result};
use crate::guard::harden;
use crate::handle::{
    delete, export, figures, grpc, health, keys, live, login, metrics, otlp, records, reprice, scores,
    search, sessions, traces, trees, viewer,
};
use crate::ingest::drain;
use crate::limits::Limits;
use crate::media::Media;
use crate::policy::{Access, Body, Effect, Errors, Policy};

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) policy: Policy,
    endpoint: fn() -> MethodRouter<App>,
}

/// A route as documentation and tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its path; `{name}` is one segment, `{*name}` all that follow.
    pub path: &'static str,
    /// Its methods.
    pub methods: Vec<String>,
    /// The scope that a key must have; `None` where none is needed.
    pub scope: Option<Scope>,
    /// Whether it changes anything.
    pub writes: bool,
    /// Types of body that it takes.
    pub bodies: Vec<&'static str>,
    /// Whether it is a page that other sites of this machine may link to.
    pub page: bool,
}

/// Every route of the server with its policy.
pub fn routes() -> impl Iterator<Item = RouteInfo> {
    ROUTES.iter().map(|Route { path, policy, .. }| RouteInfo {
        path,
        methods: policy.methods.iter().map(Method::to_string).collect(),
        scope: policy.access.scope(),
        writes: policy.effect == Effect::Write,
        bodies: match policy.body {
            Body::None => Vec::new(),
            Body::Upload { types, .. } => types.iter().map(|media| media.name()).collect(),
        },
        page: policy.page,
    })
}

const fn body_bytes(limits: &Limits) -> usize {
    limits.body_bytes
}

const fn document_bytes(_: &Limits) -> usize {
    4 << 20
}

const fn small_bytes(_: &Limits) -> usize {
    64 << 10
}

const READ: Policy = Policy {
    methods: &[Method::GET, Method::HEAD],
    body: Body::None,
    effect: Effect::Read,
    access: Access::Read,
    errors: Errors::Ours,
    page: false,
};

/// A stream has no end that a HEAD could wait for.
const STREAM: Policy = Policy { methods: &[Method::GET], ..READ };

const OPEN: Policy = Policy { access: Access::Open, ..READ };

const PAGE: Policy = Policy { page: true, ..OPEN };

const RECORDS: Policy = Policy {
    methods: &[Method::POST],
    body: Body::Upload { types: &[Media::Json, Media::Ndjson], limit: body_bytes },
    effect: Effect::Write,
    access: Access::Ingest,
    errors: Errors::Ours,
    page: false,
};

const OTLP: Policy = Policy {
    body: Body::Upload { types: &[Media::Protobuf, Media::Json], limit: body_bytes },
    errors: Errors::Status,
    ..RECORDS
};

const GRPC: Policy = Policy {
    body: Body::Upload { types: &[Media::Grpc], limit: body_bytes },
    errors: Errors::Grpc,
    ..RECORDS
};

/// Administration: little is sent.
const ADMIN: Policy = Policy {
    body: Body::Upload { types: &[Media::Json], limit: small_bytes },
    access: Access::Admin,
    ..RECORDS
};

/// A browser shows a key: the one way to change something without having shown one before.
const LOGIN: Policy = Policy { access: Access::Open, ..ADMIN };

const LOGIN_PATH: &str = "/login";
/// A question that is too long for a query string.
const SQL: Policy = Policy { effect: Effect::Read, access: Access::Read, ..ADMIN };

/// A whole table of prices may come along.
const REPRICE: Policy =
    Policy { body: Body::Upload { types: &[Media::Json], limit: document_bytes }, ..ADMIN };

const ADMIN_READ: Policy = Policy { access: Access::Admin, ..READ };

const DELETE: Policy = Policy { methods: &[Method::DELETE], body: Body::None, ..ADMIN };

const SCORES: Policy =
    Policy { body: Body::Upload { types: &[Media::Json], limit: document_bytes }, ..RECORDS };

/// Every route of the server. A path may stand several times, each time with other methods.
pub(crate) static ROUTES: &[Route] = &[
    Route { path: "/api/ingest", policy: RECORDS, endpoint: || any(records::post) },
    Route { path: "/v1/traces", policy: OTLP, endpoint: || any(otlp::traces) },
    Route { path: "/opentelemetry/v1/traces", policy: OTLP, endpoint: || any(otlp::traces) },
    Route { path: "/v1/logs", policy: OTLP, endpoint: || any(otlp::logs) },
    Route { path: "/opentelemetry/v1/logs", policy: OTLP, endpoint: || any(otlp::logs) },
    Route { path: grpc::TRACES, policy: GRPC, endpoint: || any(grpc::traces) },
    Route { path: grpc::LOGS, policy: GRPC, endpoint: || any(grpc::logs) },
    Route { path: "/api/traces", policy: READ, endpoint: || any(traces::list) },
    Route { path: "/api/trace/{trace_id}", policy: READ, endpoint: || any(traces::one) },
    Route { path: "/api/trace/{trace_id}", policy: DELETE, endpoint: || any(delete::trace) },
    Route { path: "/api/session/{id}", policy: DELETE, endpoint: || any(delete::session) },
    Route { path: "/api/project/{project}", policy: DELETE, endpoint: || any(delete::project) },
    Route { path: "/api/scores", policy: READ, endpoint: || any(scores::list) },
    Route { path: "/api/scores", policy: SCORES, endpoint: || any(scores::post) },
    Route { path: "/api/trace/{trace_id}/skeleton", policy: READ, endpoint: || any(trees::skeleton) },
    Route { path: "/api/span/{trace_id}/{span_id}", policy: READ, endpoint: || any(trees::span) },
    Route { path: "/api/export", policy: STREAM, endpoint: || any(export::get) },
    Route { path: "/api/sessions", policy: READ, endpoint: || any(sessions::list) },
    Route { path: "/api/session/{id}", policy: READ, endpoint: || any(sessions::one) },
    Route { path: "/api/search", policy: READ, endpoint: || any(search::get) },
    Route { path: "/api/reprice", policy: REPRICE, endpoint: || any(reprice::post) },
    Route { path: "/api/stats", policy: READ, endpoint: || any(figures::stats) },
    Route { path: "/api/sql", policy: SQL, endpoint: || any(figures::sql) },
    Route { path: "/api/sql/schema", policy: READ, endpoint: || any(figures::schema) },
    Route { path: "/api/projects", policy: READ, endpoint: || any(traces::projects) },
    Route { path: "/api/live", policy: STREAM, endpoint: || any(live::get) },
    Route { path: "/api/me", policy: READ, endpoint: || any(keys::me) },
    Route { path: "/api/keys", policy: ADMIN_READ, endpoint: || any(keys::list) },
    Route { path: "/api/keys", policy: ADMIN, endpoint: || any(keys::create) },
    Route { path: "/api/keys/login", policy: ADMIN, endpoint: || any(login::link) },
    Route { path: "/api/key/{id}", policy: DELETE, endpoint: || any(keys::revoke) },
    Route { path: "/healthz", policy: OPEN, endpoint: || any(health::get) },
    Route { path: "/readyz", policy: OPEN, endpoint: || any(health::ready) },
    Route { path: "/metrics", policy: READ, endpoint: || any(metrics::get) },
    Route { path: LOGIN_PATH, policy: PAGE, endpoint: || any(login::page) },
    Route { path: LOGIN_PATH, policy: LOGIN, endpoint: || any(login::enter) },
    Route { path: "/login/page.js", policy: OPEN, endpoint: || any(login::script) },
    Route { path: "/login/page.css", policy: OPEN, endpoint: || any(login::style) },
    Route { path: "/logout", policy: LOGIN, endpoint: || any(login::leave) },
    Route { path: "/", policy: PAGE, endpoint: || any(viewer::page) },
    Route { path: "/trace/{trace_id}", policy: PAGE, endpoint: || any(viewer::page) },
    Route { path: "/assets/{*path}", policy: OPEN, endpoint: || any(viewer::file) },
];

/// The router of all routes, and a typed 404 (or a file of the viewer) for everything else.
pub(crate) fn router(app: &App) -> Router {
    table(app, |_| true)
        .fallback(viewer::other)
        .layer(from_fn_with_state(app.clone(), admit))
        .with_state(app.clone())
}

/// The router of a port that only takes data.
pub(crate) fn ingest_router(app: &App) -> Router {
    table(app, |policy| policy.access == Access::Ingest)
        .fallback(async || {
            ApiError::new(
                Kind::NotFound,
                "this port only takes data",
                "The rest is on the server's main port.",
            )
        })
        .layer(from_fn_with_state(app.clone(), admit))
        .with_state(app.clone())
}

fn table(app: &App, wanted: fn(&Policy) -> bool) -> Router<App> {
    let mut paths: BTreeMap<&str, Vec<&'static Route>> = BTreeMap::new();
    for route in ROUTES.iter().filter(|route| wanted(&route.policy)) {
        paths.entry(route.path).or_default().push(route);
    }
    paths
        .into_iter()
        .fold(Router::new(), |router, (path, routes)| router.route(path, by_method(app, &routes)))
}

/// The routes of one path. What comes with no method of theirs is refused by the first.
fn by_method(app: &App, routes: &[&'static Route]) -> MethodRouter<App> {
    let allow: Arc<[Method]> = routes.iter().flat_map(|route| route.policy.methods).cloned().collect();
    let service = |route: &&'static Route| {
        let check = from_fn_with_state((app.clone(), *route, allow.clone()), enforce);
        (route.endpoint)().layer(check).with_state(app.clone())
    };
    let mut router = MethodRouter::new();
    for route in routes {
        for method in route.policy.methods {
            let filter = MethodFilter::try_from(method.clone()).expect("a usual method");
            router = router.on_service(filter, service(route));
        }
    }
    router.fallback_service(service(&routes[0]))
}

/// Around everything: host, site, headers of the answer, and a handler that breaks.
async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    admission::hide(request.headers_mut());
    let id = request_id(&app, request.headers());
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = id.as_ref().and_then(|id| id.to_str().ok()));
    let answer = async {
        let host = app.hosts.check_host(request.uri(), request.headers());
        let checked = host.and_then(|()| app.hosts.check_site(request.headers(), true));
        match checked {
            Ok(()) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| broken()),
            Err(error) => refuse(&app, request, error.into_response()).await,
        }
    };
    let mut response = answer.instrument(span).await;
    let route = response.extensions().get::<Answered>().map_or("", |answered| answered.0);
    app.metrics.answered(route, &method, response.status().as_u16());
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    harden(&mut response);
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The path of the route that answered.
#[derive(Debug, Clone, Copy)]
struct Answered(&'static str);

/// The id under which the log tells of a request: the caller's, where it is a plain word, else a new one.
fn request_id(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    const LONGEST: usize = 64;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let given = headers.get(REQUEST_ID).filter(|id| {
        (1..=LONGEST).contains(&id.len())
            && id.as_bytes().iter().all(plain)
            && !id.as_bytes().starts_with(b"aitrace_")
    });
    given.cloned().or_else(|| HeaderValue::from_str(&hex(&*app.options.random, 8).ok()?).ok())
}

async fn refuse(app: &App, request: Request, refusal: Response) -> Response {
    drain(request.into_body(), &app.options.limits).await;
    refusal
}

fn broken() -> Response {
    ApiError::new(
        Kind::Internal,
        "the server failed at this request",
        "This is a defect of aitrace; the server's log says more.",
    )
    .into_response()
}

/// Around one route: its policy before the handler, its way of writing errors after.
async fn enforce(
    State((app, route, allow)): State<(App, &'static Route, Arc<[Method]>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let policy = &route.policy;
    let encoding = encoding(&request);
    let grpc = Media::of(request.headers()) == Some(Media::Grpc);
    let method = request.method().clone();
    let started = Instant::now();
    let refusal = match check(&app, route, &mut request).await {
        Ok(None) => policy.refuse(&request, &app.options.limits, &allow),
        Ok(refusal) => refusal,
        Err(error) => Some(error.into_response()),
    };
    let response = match refusal {
        Some(refusal) => refuse(&app, request, refusal).await,
        None => next.run(request).await,
    };
    let (status, took) = (response.status(), started.elapsed());
    if policy.access == Access::Ingest && status.is_success() {
        app.metrics.acknowledged(took);
    }
    let Policy { access, effect, .. } = policy;
    let (code, micros) = (status.as_u16(), took.as_micros() as u64);
    tracing::debug!(%method, route = route.path, ?access, ?effect, status = code, micros, "answered");
    let mut response = in_its_form(policy, encoding, grpc, response);
    response.extensions_mut().insert(Answered(route.path));
    response
}

/// The answer with its error written as clients of the route read it.
fn in_its_form(policy: &Policy, encoding: Encoding, grpc: bool, response: Response) -> Response {
    match (policy.errors, response.extensions().get::<ApiError>()) {
        (Errors::Status, Some(error)) => {
            let mut status = error.clone().into_status_response(encoding);
            if let Some(allow) = response.headers().get(axum::http::header::ALLOW) {
                status.headers_mut().insert(axum::http::header::ALLOW, allow.clone());
            }
            status
        }
        // What is no gRPC request is answered as HTTP has it.
        (Errors::Grpc, Some(error)) if grpc => error.clone().into_grpc_response(),
        _ => response,
    }
}

/// Where the request comes from and who asks. Handlers find the caller on the request.
async fn check(app: &App, route: &Route, request: &mut Request) -> Result<Option<Response>> {
    let policy = &route.policy;
    app.hosts.check_site(request.headers(), policy.page)?;
    if policy.access != Access::Open {
        let peer = request.extensions().get().copied();
        let caller = admission::caller(app, policy, request.headers(), peer).await?;
        request.extensions_mut().insert(caller);
    } else if policy.page && route.path != LOGIN_PATH {
        return admission::way_in(app, request.uri(), request.headers()).await;
    }
    Ok(None)
}

/// The encoding in which an OTLP client reads: the one it writes, else the protocol's default.
fn encoding(request: &Request) -> Encoding {
    match Media::of(request.headers()) {
        Some(Media::Json) => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_a_sound_policy() {
        for route in ROUTES {
            let policy = &route.policy;
            let gets = policy.methods.iter().all(|method| [Method::GET, Method::HEAD].contains(method));
            let writes = policy.effect == Effect::Write;
            assert!(!(gets && writes), "{}: GET has no effect", route.path);
            let login = [LOGIN_PATH, "/logout"].contains(&route.path);
            let keyed = matches!(policy.access, Access::Ingest | Access::Admin);
            assert!(!writes || keyed || login, "{}", route.path);
            match policy.body {
                Body::None => {}
                Body::Upload { types, limit } => {
                    assert!(!gets && !types.is_empty(), "{}", route.path);
                    assert!(limit(&Limits::default()) <= Limits::default().body_bytes, "{}", route.path);
                }
            }
            if policy.access == Access::Open {
                assert!(!route.path.starts_with("/api/"), "{}: the API shows data", route.path);
            }
            assert!(
                !policy.page || policy.access == Access::Open,
                "{}: a page shows no data itself",
                route.path
            );
        }
    }

    #[test]
    fn no_path_takes_a_method_twice() {
        let of = |route: &'static Route| {
            let methods = route.policy.methods.iter().map(Method::as_str);
            methods.map(|method| (route.path, method)).collect::<Vec<_>>()
        };
        let all: Vec<_> = ROUTES.iter().flat_map(of).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
