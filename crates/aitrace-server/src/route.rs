//! The table of routes. The router is built from it, so that a route without a policy cannot exist.

use std::panic::AssertUnwindSafe;

use aitrace_otlp::Encoding;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use futures_util::FutureExt as _;

use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind};
use crate::guard::harden;
use crate::handle::{grpc, health, live, otlp, records, traces, viewer};
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

const fn body_bytes(limits: &Limits) -> usize {
    limits.body_bytes
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

/// Every route of the server.
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
    Route { path: "/api/projects", policy: READ, endpoint: || any(traces::projects) },
    Route { path: "/api/live", policy: STREAM, endpoint: || any(live::get) },
    Route { path: "/healthz", policy: OPEN, endpoint: || any(health::get) },
    Route { path: "/", policy: PAGE, endpoint: || any(viewer::page) },
    Route { path: "/trace/{trace_id}", policy: PAGE, endpoint: || any(viewer::page) },
    Route { path: "/assets/{*path}", policy: OPEN, endpoint: || any(viewer::file) },
];

/// The router of all routes, and a typed 404 (or a file of the viewer) for everything else.
pub(crate) fn router(app: &App) -> Router {
    routes(app, |_| true)
        .fallback(viewer::other)
        .layer(from_fn_with_state(app.clone(), admit))
        .with_state(app.clone())
}

/// The router of a port that only takes data.
pub(crate) fn ingest_router(app: &App) -> Router {
    routes(app, |policy| policy.access == Access::Ingest)
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

fn routes(app: &App, wanted: fn(&Policy) -> bool) -> Router<App> {
    let mut router = Router::new();
    for route in ROUTES.iter().filter(|route| wanted(&route.policy)) {
        let check = from_fn_with_state((app.clone(), route), enforce);
        router = router.route(route.path, (route.endpoint)().layer(check));
    }
    router
}

/// Around everything: host, site, headers of the answer, and a handler that breaks.
async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = app.hosts.check_host(request.uri(), request.headers());
    let checked = host.and_then(|()| app.hosts.check_site(request.headers(), true));
    let mut response = match checked {
        Ok(()) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| broken()),
        Err(error) => refuse(&app, request, error.into_response()).await,
    };
    harden(&mut response);
    response
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
    State((app, route)): State<(App, &'static Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    let policy = &route.policy;
    let encoding = encoding(&request);
    let grpc = Media::of(request.headers()) == Some(Media::Grpc);
    let method = request.method().clone();
    let refusal = match app.hosts.check_site(request.headers(), policy.page) {
        Ok(()) => policy.refuse(&request, &app.options.limits),
        Err(error) => Some(error.into_response()),
    };
    let response = match refusal {
        Some(refusal) => refuse(&app, request, refusal).await,
        None => {
            request.extensions_mut().insert(Caller::anyone());
            next.run(request).await
        }
    };
    let status = response.status().as_u16();
    let Policy { access, effect, .. } = policy;
    tracing::debug!(%method, route = route.path, ?access, ?effect, status, "answered");
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
            assert_eq!(writes, !matches!(policy.access, Access::Open | Access::Read), "{}", route.path);
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
    fn paths_are_distinct() {
        let paths: std::collections::BTreeSet<_> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(paths.len(), ROUTES.len());
    }
}
