// @grpc/grpc-js: it has no reader of details and no writer; its users (de)serialize google.rpc.Status, here with protobuf-es.

import * as grpc from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyIs, anyPack, anyUnpack, AnySchema } from "@bufbuild/protobuf/wkt";
import { AnswerRequestSchema, AnswerResponseSchema } from "./gen/v1/conformance_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";
import { calls, DEADLINE, definition, named, packed, trailing, untilEndOfInput, vectors } from "./lib.js";

/** What a client author writes. */
function read(error) {
  const said = { status: error.code, message: error.details, details: [] };
  for (const detail of details(error)) {
    try {
      if (anyIs(detail, ErrorInfoSchema) && said.reason === undefined) {
        const { reason, domain, metadata } = anyUnpack(detail, ErrorInfoSchema);
        Object.assign(said, { reason, domain, metadata });
      } else if (anyIs(detail, LocalizedMessageSchema)) {
        const { locale, message } = anyUnpack(detail, LocalizedMessageSchema);
        Object.assign(said, { locale, hint: message });
      } else {
        said.details.push(packed(detail.typeUrl, detail.value)); // anyUnpack(detail, BadRequestSchema) has the violations
      }
    } catch {} // one that does not parse
  }
  return said;
}

function details(error) {
  try {
    return error.metadata.get("grpc-status-details-bin").flatMap((bytes) => fromBinary(StatusSchema, bytes).details);
  } catch {
    return []; // garbage: the status is left
  }
}

/** What a server author writes. */
function failure(wanted) {
  const details = [];
  if (wanted.reason !== null) {
    const { reason, domain, metadata } = wanted;
    details.push(anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain, metadata })));
  }
  if (wanted.hint !== null) {
    const { locale, hint: message } = wanted;
    details.push(anyPack(LocalizedMessageSchema, create(LocalizedMessageSchema, { locale, message })));
  }
  for (const { type, base64 } of wanted.details) {
    details.push(create(AnySchema, { typeUrl: `type.googleapis.com/${type}`, value: Buffer.from(base64, "base64") }));
  }
  const metadata = new grpc.Metadata();
  if (details.length > 0) {
    const status = create(StatusSchema, { code: wanted.status, message: wanted.message, details });
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  }
  for (const [key, value] of Object.entries(wanted.trailing)) metadata.set(key, value);
  return { code: wanted.status, details: wanted.message, metadata };
}

async function client(target, config) {
  const options = config ? { "grpc.service_config": config } : {}; // a retry policy
  const channel = new (grpc.makeGenericClientConstructor(definition, "Conformance"))(target, grpc.credentials.createInsecure(), options);
  await calls(async (call) => {
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(call.metadata)) metadata.set(key, value);
    const [error, messages] = await ended(channel, call, metadata);
    if (!error) return { failed: "the call ended without an error" };
    return { messages, trailing: trailing(Object.entries(error.metadata.getMap())), ...read(error) };
  });
  channel.close();
}

/** Makes a call: its error, and how many responses came before. */
function ended(channel, { method, vector, messages }, metadata) {
  const request = create(AnswerRequestSchema, { vector, messages });
  const options = { deadline: Date.now() + DEADLINE };
  const start = channel[named({ method })].bind(channel);
  return new Promise((resolve) => {
    let count = 0;
    const single = (error) => resolve([error, count]);
    const streaming = definition[named({ method })];
    const first = streaming.requestStream ? [] : [request];
    const last = streaming.responseStream ? [] : [single];
    const stream = start(...first, metadata, options, ...last);
    if (streaming.responseStream) {
      stream.on("data", () => count++);
      stream.on("error", (error) => resolve([error, count]));
      stream.on("end", () => setImmediate(resolve, [null, count])); // an error comes after it
    }
    if (streaming.requestStream) stream.end(request);
  });
}

async function server(path) {
  const answers = vectors(path);
  const answer = (vector) => (answers.has(vector) ? failure(answers.get(vector)) : { code: grpc.status.UNIMPLEMENTED });
  const send = (stream, { messages }) => {
    for (let index = 1; index <= messages; index++) stream.write(create(AnswerResponseSchema, { index }));
  };
  const allRead = (stream, first, then) => {
    let request;
    stream.on("data", (message) => {
      if (request === undefined) first((request = message));
    });
    stream.on("end", () => then(answer(request.vector)));
  };
  const running = new grpc.Server();
  running.addService(definition, {
    unary: ({ request }, callback) => callback(answer(request.vector)),
    serverStream: (stream) => {
      send(stream, stream.request);
      stream.emit("error", answer(stream.request.vector));
    },
    clientStream: (stream, callback) => allRead(stream, () => {}, callback),
    bidiStream: (stream) => allRead(stream, (request) => send(stream, request), (error) => stream.emit("error", error)),
  });
  const bind = (resolve, reject) =>
    running.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  await untilEndOfInput(await new Promise(bind));
  running.forceShutdown();
}

const [, , what, ...given] = process.argv;
await { client, server }[what](...given);
