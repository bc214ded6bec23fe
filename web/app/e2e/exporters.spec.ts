/**
 * The exporters of OpenTelemetry's JavaScript SDK against the real server: JSON, protobuf and gRPC, packed and plain.
 * `AITRACE_BIN` names the binary; without it these tests are skipped.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter as GrpcLogs } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as GrpcTraces } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const BIN = process.env["AITRACE_BIN"];

const ATTRIBUTES = {
  "gen_ai.operation.name": "chat",
  "gen_ai.request.model": "gpt-5-mini",
  "gen_ai.usage.input_tokens": 15,
  "gen_ai.usage.output_tokens": 9,
  text: 'grüße 😀 " \\ \n \u0000',
  ratio: 0.1,
  yes: true,
  words: ["a", "b"],
  long: "many words ".repeat(2000),
};

describe.skipIf(!BIN)("exporters of the OpenTelemetry SDK", () => {
  let child: ChildProcess;
  let data: string;
  let url: string;

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "aitrace-exporters-"));
    child = spawn(BIN ?? "", ["serve", "--port", "0", "--data-dir", data], { stdio: ["ignore", "pipe", "ignore"] });
    const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
    const line = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
    url = /https?:\/\/[^\s"]+/.exec(line)?.[0].replace(/\/$/, "") ?? "";
  });

  afterAll(async () => {
    child?.kill("SIGTERM");
    await new Promise((resolve) => (child.exitCode === null ? child.once("exit", resolve) : resolve(null)));
    await rm(data, { recursive: true, force: true });
  });

  function exporters(wire: string, compression: CompressionAlgorithm) {
    const [traces, logs] = [`${url}/v1/traces`, `${url}/v1/logs`];
    if (wire === "grpc") {
      return { traces: new GrpcTraces({ url, compression }), logs: new GrpcLogs({ url, compression }) };
    }
    const [Traces, Logs] = wire === "json" ? [JsonTraces, JsonLogs] : [ProtobufTraces, ProtobufLogs];
    return { traces: new Traces({ url: traces, compression }), logs: new Logs({ url: logs, compression }) };
  }

  const ways = ["json", "protobuf", "grpc"].flatMap((wire) =>
    [CompressionAlgorithm.NONE, CompressionAlgorithm.GZIP].map((compression) => ({ wire, compression })),
  );

  test.each(ways)("$wire, $compression: spans and logs arrive as they were made", async ({ wire, compression }) => {
    const project = `${wire}-${compression}`;
    const resource = resourceFromAttributes({ "service.name": "shop", "aitrace.project": project });
    const own = exporters(wire, compression);
    const tracers = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(own.traces)] });
    const processor = new SimpleLogRecordProcessor({ exporter: own.logs });
    const loggers = new LoggerProvider({ resource, processors: [processor] });
    const tracer = tracers.getTracer("shop.worker", "1.2");

    const root = tracer.startSpan("agent", {}, ROOT_CONTEXT);
    const within = trace.setSpan(ROOT_CONTEXT, root);
    const chat = tracer.startSpan("chat", { attributes: ATTRIBUTES }, within);
    chat.addEvent("retried", { times: 2 });
    loggers.getLogger("shop.worker").emit({
      severityNumber: SeverityNumber.WARN,
      body: "low on stock",
      attributes: { left: 3 },
      context: trace.setSpan(ROOT_CONTEXT, chat),
    });
    chat.end();
    const failing = tracer.startSpan("fails", {}, within);
    failing.recordException(new RangeError("no such order"));
    failing.setStatus({ code: SpanStatusCode.ERROR, message: "no such order" });
    failing.end();
    root.end();
    await tracers.forceFlush();
    await loggers.forceFlush();
    await tracers.shutdown();
    await loggers.shutdown();

    const { traceId, spanId } = chat.spanContext();
    const found = await (await fetch(`${url}/api/trace/${traceId}`)).json();
    expect(found.spans.map((span: { name: string }) => span.name).sort()).toEqual(["agent", "chat", "fails"]);
    const by = (name: string) => found.spans.find((span: { name: string }) => span.name === name);
    expect(by("chat")).toMatchObject({
      ...{ project, service: "shop", kind: "llm", model: "gpt-5-mini", input_tokens: 15, output_tokens: 9 },
      ...{ span_id: spanId, parent_span_id: root.spanContext().spanId, attributes: ATTRIBUTES },
      events: [{ name: "retried", attributes: { times: 2 } }],
    });
    expect(by("chat").cost).toBeCloseTo(0.00002175, 10);
    expect(by("fails")).toMatchObject({ status: "error", error: { type: "RangeError", message: "no such order" } });
    expect(found.logs).toMatchObject([
      { span_id: spanId, level: "warning", logger: "shop.worker", attrs: { body: "low on stock", left: 3 } },
    ]);
  });
});
