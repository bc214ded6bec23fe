//! The least protobuf that a test needs: fields as they are told, also wrong ones.

/// A message being written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    pub(crate) fn varint(mut self, field: u32, value: u64) -> Self {
        push_varint(&mut self.0, u64::from(field) << 3);
        push_varint(&mut self.0, value);
        self
    }

    pub(crate) fn fixed64(mut self, field: u32, value: u64) -> Self {
        push_varint(&mut self.0, u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        push_varint(&mut self.0, u64::from(field) << 3 | 2);
        push_varint(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn message(self, field: u32, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// `KeyValue` with a string.
pub(crate) fn text(key: &str, value: &str) -> Message {
    Message::default().bytes(1, key).message(2, &Message::default().bytes(1, value))
}

/// A `Span` with the fields that every span has.
pub(crate) fn span(trace_id: &[u8], span_id: &[u8], name: &str, start: u64, end: u64) -> Message {
    Message::default().bytes(1, trace_id).bytes(2, span_id).bytes(5, name).fixed64(7, start).fixed64(8, end)
}

/// An `ExportTraceServiceRequest` of one resource and scope.
pub(crate) fn request(spans: &[Message]) -> Vec<u8> {
    let scope = spans.iter().fold(Message::default(), |scope, span| scope.message(2, span));
    let resource = Message::default().message(1, &text("service.name", "shop"));
    let spans = Message::default().message(1, &resource).message(2, &scope);
    Message::default().message(1, &spans).0
}
