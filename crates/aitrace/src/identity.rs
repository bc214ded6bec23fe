//! Who a tracer is: fixed when it is built, the same on everything it records.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::lock::Mutex;
use aitrace_model::{AnyValue, Resource, Scope, key};

/// Sessions that are remembered for spans that are still to be sent.
const MAX_SESSIONS: usize = 256;

/// The session of a tracer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Id, never empty.
    pub id: Arc<str>,
    /// Name.
    pub name: Option<Arc<str>>,
}

/// Who a tracer is.
#[derive(Debug)]
pub struct Identity {
    /// Unique id of the tracer.
    pub tracer_id: Arc<str>,
    /// Project, never empty.
    pub project: Arc<str>,
    /// Environment, for example `prod`.
    pub source: Arc<str>,
    /// Name of the service.
    pub service: Option<Arc<str>>,
    /// Evaluation run of all its spans; the context's baggage comes second.
    pub run_id: Option<Arc<str>>,
    /// Evaluation dataset of all its spans.
    pub dataset_id: Option<Arc<str>>,
    /// Evaluation datapoint of all its spans.
    pub datapoint_id: Option<Arc<str>>,
    /// The session it was made with.
    pub(crate) first_session: Arc<Session>,
    /// The sessions since then, each with the time it began; of very many, the latest.
    pub(crate) sessions: Mutex<VecDeque<(i64, Arc<Session>)>>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) scope: Arc<Scope>,
}

impl Identity {
    /// The session as it is now.
    pub fn session(&self) -> Arc<Session> {
        self.session_at(i64::MAX)
    }

    /// The session that what began at this time belongs to, however late it is asked for.
    pub(crate) fn session_at(&self, time: i64) -> Arc<Session> {
        let since = self.sessions.lock_soon().and_then(|sessions| {
            let begun = sessions.iter().rev().find(|(began, _)| *began <= time);
            begun.map(|(_, session)| session.clone())
        });
        since.unwrap_or_else(|| self.first_session.clone())
    }

    /// Begins a session at this time.
    pub(crate) fn begin_session(&self, time: i64, session: Session) {
        if let Some(mut sessions) = self.sessions.lock_soon() {
            if sessions.len() >= MAX_SESSIONS {
                sessions.pop_front();
            }
            sessions.push_back((time, Arc::new(session)));
        }
    }

    /// The resource of the spans on the wire.
    pub(crate) fn make_resource(
        project: &str,
        source: &str,
        service: Option<&str>,
        language: &str,
    ) -> Resource {
        let mut attributes: Vec<(String, AnyValue)> = Vec::new();
        let mut add = |key: &str, value: &str| attributes.push((key.to_owned(), value.into()));
        if let Some(service) = service {
            add(key::SERVICE_NAME, service);
        }
        add(key::PROJECT, project);
        add(key::SOURCE, source);
        add("telemetry.sdk.name", "aitrace");
        add("telemetry.sdk.language", language);
        add("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
        Resource { attributes, ..Resource::default() }
    }

    /// The scope of the spans on the wire.
    pub(crate) fn make_scope() -> Scope {
        Scope {
            name: "aitrace".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Scope::default()
        }
    }
}
