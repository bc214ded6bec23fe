//! A tracer's settings as Python's side gives them.

use std::sync::Arc;

use aitrace::TracerBuilder;
use aitrace::testing::SequentialIds;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::exporter;
use crate::testing::Clock;

fn string(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Option<String>> {
    dict.get_item(key)?.filter(|value| !value.is_none()).map(|value| value.extract()).transpose()
}

/// The recorder's builder with what is set: strings by its names, `exporter`, `clock`, `sequential_ids`, `verbose`.
pub(crate) fn builder(settings: &Bound<'_, PyDict>) -> PyResult<TracerBuilder> {
    let mut builder = aitrace::Tracer::builder().language("python");
    macro_rules! set {
        ($($name:ident),+) => { $(
            if let Some(value) = string(settings, stringify!($name))? {
                builder = builder.$name(value);
            }
        )+ };
    }
    set!(
        project,
        source,
        session_id,
        session_name,
        run_id,
        dataset_id,
        datapoint_id,
        service,
        api_key,
        target,
        server_url
    );
    if let Some(clock) = settings.get_item("clock")?.filter(|clock| !clock.is_none()) {
        builder = builder.clock(clock.cast::<Clock>()?.get().inner.clone());
    }
    if settings.get_item("sequential_ids")?.is_some_and(|wanted| wanted.is_truthy().unwrap_or(false)) {
        builder = builder.id_generator(Arc::new(SequentialIds::default()));
    }
    if settings.get_item("verbose")?.is_some_and(|wanted| wanted.is_truthy().unwrap_or(false)) {
        builder = builder.verbose(true);
    }
    if let Some(exporter) = settings.get_item("exporter")?.filter(|exporter| !exporter.is_none()) {
        builder = builder.exporter(exporter::read(&exporter)?);
    }
    Ok(builder)
}
