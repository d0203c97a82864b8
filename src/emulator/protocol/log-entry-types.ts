// The protocol buffer types that a write request is made of, as a table: the emulator validates
// with what is here.
//
// Everything but `discoveryFields` must equal the protos that Google packs into
// `@google-cloud/logging-api`; a test compares the two, so a new version of that package shows as a
// difference there.

/** A type is a scalar, `map<string, string>`, a full name, or `repeated` and a full name. */
export type FieldRow = readonly [type: string, number: number];
export type MessageRows = {
  readonly fields: Readonly<Record<string, FieldRow>>;
  readonly oneof?: { readonly name: string; readonly fields: readonly string[] };
};

export const messageTypes: Readonly<Record<string, MessageRows>> = {
  'google.api.MonitoredResource': {
    fields: { type: ['string', 1], labels: ['map<string, string>', 2] },
  },
  'google.logging.type.HttpRequest': {
    fields: {
      request_method: ['string', 1],
      request_url: ['string', 2],
      request_size: ['int64', 3],
      status: ['int32', 4],
      response_size: ['int64', 5],
      user_agent: ['string', 6],
      remote_ip: ['string', 7],
      server_ip: ['string', 13],
      referer: ['string', 8],
      latency: ['google.protobuf.Duration', 14],
      cache_lookup: ['bool', 11],
      cache_hit: ['bool', 9],
      cache_validated_with_origin_server: ['bool', 10],
      cache_fill_bytes: ['int64', 12],
      protocol: ['string', 15],
    },
  },
  'google.logging.v2.LogEntryOperation': {
    fields: { id: ['string', 1], producer: ['string', 2], first: ['bool', 3], last: ['bool', 4] },
  },
  'google.logging.v2.LogEntrySourceLocation': {
    fields: { file: ['string', 1], line: ['int64', 2], function: ['string', 3] },
  },
  'google.logging.v2.LogSplit': {
    fields: { uid: ['string', 1], index: ['int32', 2], total_splits: ['int32', 3] },
  },
  'google.logging.v2.LogEntry': {
    fields: {
      log_name: ['string', 12],
      resource: ['google.api.MonitoredResource', 8],
      proto_payload: ['google.protobuf.Any', 2],
      text_payload: ['string', 3],
      json_payload: ['google.protobuf.Struct', 6],
      timestamp: ['google.protobuf.Timestamp', 9],
      receive_timestamp: ['google.protobuf.Timestamp', 24],
      severity: ['google.logging.type.LogSeverity', 10],
      insert_id: ['string', 4],
      http_request: ['google.logging.type.HttpRequest', 7],
      labels: ['map<string, string>', 11],
      operation: ['google.logging.v2.LogEntryOperation', 15],
      trace: ['string', 22],
      span_id: ['string', 27],
      trace_sampled: ['bool', 30],
      source_location: ['google.logging.v2.LogEntrySourceLocation', 23],
      split: ['google.logging.v2.LogSplit', 35],
    },
    oneof: { name: 'payload', fields: ['proto_payload', 'text_payload', 'json_payload'] },
  },
  'google.logging.v2.WriteLogEntriesRequest': {
    fields: {
      log_name: ['string', 1],
      resource: ['google.api.MonitoredResource', 2],
      labels: ['map<string, string>', 3],
      entries: ['repeated google.logging.v2.LogEntry', 4],
      partial_success: ['bool', 5],
      dry_run: ['bool', 6],
    },
  },
  'google.logging.v2.ListLogEntriesRequest': {
    fields: {
      resource_names: ['repeated string', 8],
      filter: ['string', 2],
      order_by: ['string', 3],
      page_size: ['int32', 4],
      page_token: ['string', 5],
    },
  },
};

/**
 * Members of a LogEntry that only the discovery document has. The API accepts them and, except for
 * `otel`, clears what a client wrote. Their inner types are not checked, and the numbers are our
 * own, because they never leave the process.
 */
export const discoveryFields: Readonly<Record<string, FieldRow>> = {
  metadata: ['google.protobuf.Struct', 1001],
  apphub: ['google.protobuf.Struct', 1002],
  apphub_destination: ['google.protobuf.Struct', 1003],
  apphub_source: ['google.protobuf.Struct', 1004],
  error_groups: ['repeated google.protobuf.Struct', 1005],
  otel: ['google.protobuf.Struct', 1006],
};

/** Values of `google.logging.type.LogSeverity`. */
export const severityNumbers = {
  DEFAULT: 0,
  DEBUG: 100,
  INFO: 200,
  NOTICE: 300,
  WARNING: 400,
  ERROR: 500,
  CRITICAL: 600,
  ALERT: 700,
  EMERGENCY: 800,
} as const;

/** `log_name` to `logName`, as proto3 JSON does. */
export function jsonNameOf(protoName: string): string {
  return protoName.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
