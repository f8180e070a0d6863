// What the programs of all libraries share: the runner's lines, the vectors and their details.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnswerRequestSchema, AnswerResponseSchema } from "./gen/v1/conformance_pb.js";

export const DEADLINE = 20_000; // milliseconds

const SERVICE = "errgrpc.conformance.v1.ConformanceService";

const serializer = (schema) => (message) => Buffer.from(toBinary(schema, message));
const method = (name, requestStream, responseStream) => ({
  path: `/${SERVICE}/${name}`,
  requestStream,
  responseStream,
  requestSerialize: serializer(AnswerRequestSchema),
  requestDeserialize: (bytes) => fromBinary(AnswerRequestSchema, bytes),
  responseSerialize: serializer(AnswerResponseSchema),
  responseDeserialize: (bytes) => fromBinary(AnswerResponseSchema, bytes),
  options: {},
});

/** The service as @grpc/grpc-js and nice-grpc take it. */
export const definition = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidiStream: method("BidiStream", true, true),
};

/** The name of a method in JavaScript. */
export const named = (call) => call.method[0].toLowerCase() + call.method.slice(1);

/** A detail, as the runner wants it. */
export const packed = (type, bytes) => ({ type, base64: Buffer.from(bytes).toString("base64") });

/** The entries of trailing metadata that the runner wants. */
export const trailing = (entries) => Object.fromEntries([...entries].filter(([key]) => key.startsWith("x-")));

/** Makes the calls of the input and prints what was said. */
export async function calls(make) {
  for await (const line of createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    let said;
    try {
      said = await make(call);
    } catch (failure) { // the library's reader raises what the author does not expect
      said = { failed: String(failure) };
    }
    process.stdout.write(`${JSON.stringify({ id: call.id, ...said })}\n`);
  }
}

/** What a server answers, by number. */
export function vectors(path) {
  return new Map(JSON.parse(readFileSync(path, "utf8")).map(({ number, read }) => [number, read]));
}

/** Tells the runner the port, and waits until it has enough. */
export async function untilEndOfInput(port) {
  console.log(port);
  for await (const _ of process.stdin);
}
