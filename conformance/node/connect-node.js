// connect-node: ConnectError.findDetails as reader, ConnectError with details as server; gRPC, gRPC-Web and Connect's own protocol.

import { createServer } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ConformanceService } from "./gen/v1/conformance_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema } from "./gen/google/rpc/error_details_pb.js";
import { calls, DEADLINE, definition, named, packed, trailing, untilEndOfInput, vectors } from "./lib.js";

/** What a client author writes. */
function read(error) {
  const said = { status: error.code, message: error.rawMessage, details: [] };
  const [info] = error.findDetails(ErrorInfoSchema);
  if (info) Object.assign(said, { reason: info.reason, domain: info.domain, metadata: info.metadata });
  const [hint] = error.findDetails(LocalizedMessageSchema);
  if (hint) Object.assign(said, { locale: hint.locale, hint: hint.message });
  said.details = error.details.map(({ type, value }) => packed(type, value)); // findDetails(BadRequestSchema) has the violations
  return said;
}

/** What a server author writes. */
function failure(wanted) {
  const error = new ConnectError(wanted.message, wanted.status, wanted.trailing);
  if (wanted.reason !== null) {
    const { reason, domain, metadata } = wanted;
    error.details.push({ desc: ErrorInfoSchema, value: { reason, domain, metadata } });
  }
  if (wanted.hint !== null) error.details.push({ desc: LocalizedMessageSchema, value: { locale: wanted.locale, message: wanted.hint } });
  for (const { type, base64 } of wanted.details) error.details.push({ type, value: Buffer.from(base64, "base64") });
  return error;
}

const TRANSPORTS = {
  grpc: createGrpcTransport,
  "grpc-web": (options) => createGrpcWebTransport({ ...options, httpVersion: "2" }),
  connect: (options) => createConnectTransport({ ...options, httpVersion: "2" }),
};

async function client(protocol, target) {
  const stub = createClient(ConformanceService, TRANSPORTS[protocol]({ baseUrl: `http://${target}` }));
  await calls(async (call) => {
    const request = { vector: call.vector, messages: call.messages };
    const { requestStream, responseStream } = definition[named(call)];
    async function* requests() {
      yield request;
    }
    let messages = 0;
    try {
      const started = stub[named(call)](requestStream ? requests() : request, { headers: call.metadata, timeoutMs: DEADLINE });
      if (responseStream) for await (const _ of started) messages++;
      else await started;
    } catch (raised) {
      const error = ConnectError.from(raised);
      return { messages, trailing: trailing(error.metadata), ...read(error) };
    }
    return { failed: "the call ended without an error" };
  });
  process.exit(); // the transport keeps its connection for some minutes
}

async function server(path) {
  const answers = vectors(path);
  const fail = (vector) => {
    throw answers.has(vector) ? failure(answers.get(vector)) : new ConnectError("no such vector", Code.Unimplemented);
  };
  async function* send({ messages }) {
    for (let index = 1; index <= messages; index++) yield { index };
  }
  const routes = (router) =>
    router.service(ConformanceService, {
      unary: ({ vector }) => fail(vector),
      async *serverStream(request) {
        yield* send(request);
        fail(request.vector);
      },
      async clientStream(requests) {
        const all = [];
        for await (const request of requests) all.push(request);
        fail(all[0].vector);
      },
      async *bidiStream(requests) {
        let first;
        for await (const request of requests) {
          if (first === undefined) yield* send((first = request));
        }
        fail(first.vector);
      },
    });
  const running = createServer(connectNodeAdapter({ routes }));
  await new Promise((resolve) => running.listen(0, "127.0.0.1", resolve));
  await untilEndOfInput(running.address().port);
  process.exit();
}

const [, , what, ...rest] = process.argv;
await { client, server }[what](...rest);
