// Descriptors of the write request and its parts, built once at start from the table in
// log-entry-types.ts.
//
// With them `fromJson` of @bufbuild/protobuf reads JSON as strictly as the API does, and `toBinary`
// gives an entry's size.

import assert from 'node:assert';
import type { DescFile, DescMessage } from '@bufbuild/protobuf';
import { create, createFileRegistry, createRegistry } from '@bufbuild/protobuf';
import type { DescriptorProto, FieldDescriptorProto } from '@bufbuild/protobuf/wkt';
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_any as anyFile,
  file_google_protobuf_duration as durationFile,
  file_google_protobuf_empty as emptyFile,
  file_google_protobuf_struct as structFile,
  file_google_protobuf_timestamp as timestampFile,
  file_google_protobuf_wrappers as wrappersFile,
} from '@bufbuild/protobuf/wkt';
import type { FieldRow } from './log-entry-types.ts';
import { discoveryFields, jsonNameOf, messageTypes, severityNumbers } from './log-entry-types.ts';

const wellKnownFiles: readonly DescFile[] = [anyFile, durationFile, structFile, timestampFile];
const severityType = 'google.logging.type.LogSeverity';
const scalarTypes: Readonly<Record<string, Type>> = {
  string: Type.STRING,
  bool: Type.BOOL,
  int32: Type.INT32,
  int64: Type.INT64,
};

function fieldOf(name: string, row: FieldRow, parent: string): FieldDescriptorProto {
  const [type, number] = row;
  const bare = type.replace('repeated ', '');
  const isMap = bare.startsWith('map<');
  const field = create(FieldDescriptorProtoSchema, {
    name,
    number,
    jsonName: jsonNameOf(name),
    label: type === bare && !isMap ? Label.OPTIONAL : Label.REPEATED,
    type: scalarTypes[bare] ?? (bare === severityType ? Type.ENUM : Type.MESSAGE),
  });
  if (isMap) field.typeName = `.${parent}.${mapEntryName(name)}`;
  else if (scalarTypes[bare] === undefined) field.typeName = `.${bare}`;
  return field;
}

function mapEntryName(fieldName: string): string {
  const camel = jsonNameOf(fieldName);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function mapEntryOf(fieldName: string): DescriptorProto {
  return create(DescriptorProtoSchema, {
    name: mapEntryName(fieldName),
    field: [fieldOf('key', ['string', 1], ''), fieldOf('value', ['string', 2], '')],
    options: { mapEntry: true },
  });
}

function errorText(fullName: string): DescriptorProto {
  const rows = messageTypes[fullName];
  assert(rows !== undefined);
  const extra = fullName === 'google.logging.v2.LogEntry' ? discoveryFields : {};
  const message = create(DescriptorProtoSchema, {
    name: fullName.slice(fullName.lastIndexOf('.') + 1),
  });
  if (rows.oneof !== undefined) {
    message.oneofDecl.push({
      $typeName: 'google.protobuf.OneofDescriptorProto',
      name: rows.oneof.name,
    });
  }
  for (const [name, row] of Object.entries({ ...rows.fields, ...extra })) {
    const field = fieldOf(name, row, fullName);
    if (rows.oneof?.fields.includes(name) === true) field.oneofIndex = 0;
    if (row[0].startsWith('map<')) message.nestedType.push(mapEntryOf(name));
    message.field.push(field);
  }
  return message;
}

function buildRegistry() {
  const packages = new Map<string, string[]>();
  for (const fullName of Object.keys(messageTypes)) {
    const packageName = fullName.slice(0, fullName.lastIndexOf('.'));
    packages.set(packageName, [...(packages.get(packageName) ?? []), fullName]);
  }
  const built = new Map<string, DescFile>(
    wellKnownFiles.map((file) => [`${file.name}.proto`, file]),
  );
  // The table lists a package after those that its messages name.
  for (const [packageName, fullNames] of packages) {
    const file = create(FileDescriptorProtoSchema, {
      name: `${packageName}.proto`,
      package: packageName,
      syntax: 'proto3',
      dependency: [...built.keys()],
      messageType: fullNames.map(errorText),
    });
    if (severityType.startsWith(`${packageName}.`)) {
      const value = Object.entries(severityNumbers).map(([name, number]) => ({ name, number }));
      file.enumType.push(create(EnumDescriptorProtoSchema, { name: 'LogSeverity', value }));
    }
    const registry = createFileRegistry(file, (name) => built.get(name));
    const desc = registry.getFile(file.name);
    assert(desc !== undefined);
    built.set(file.name, desc);
  }
  return createRegistry(...built.values(), wrappersFile, emptyFile);
}

/** All types that a `protoPayload` may name; `fromJson` and `toJson` look an Any's type up here. */
export const registry = buildRegistry();

function schemaOf(fullName: string): DescMessage {
  const desc = registry.getMessage(fullName);
  assert(desc !== undefined, fullName);
  return desc;
}

export const logEntrySchema = schemaOf('google.logging.v2.LogEntry');
export const writeRequestSchema = schemaOf('google.logging.v2.WriteLogEntriesRequest');
export const listRequestSchema = schemaOf('google.logging.v2.ListLogEntriesRequest');
