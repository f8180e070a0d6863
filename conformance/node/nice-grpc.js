// nice-grpc with nice-grpc-error-details.

import { create } from "@bufbuild/protobuf";
import { createChannel, createClientFactory, createServer, Metadata, ServerError, Status } from "nice-grpc";
import { deadlineMiddleware } from "nice-grpc-client-middleware-deadline";
import * as details from "nice-grpc-error-details";
import { AnswerRequestSchema, AnswerResponseSchema } from "./gen/v1/conformance_pb.js";
import { calls, DEADLINE, definition, named, packed, trailing, untilEndOfInput, vectors } from "./lib.js";

const { Any, ErrorInfo, LocalizedMessage, RichClientError, RichServerError, errorDetailsClientMiddleware, errorDetailsServerMiddleware } = details;
const TYPES = new Map(Object.values(details).filter((type) => type.$type && type.encode).map((type) => [type.$type, type]));

/** What a client author writes. */
function read(error) {
  const said = { status: error.code, message: error.details, details: [] };
  for (const detail of error instanceof RichClientError ? error.extra : []) {
    if (detail.$type === ErrorInfo.$type && said.reason === undefined) {
      const { reason, domain, metadata } = detail;
      Object.assign(said, { reason, domain, metadata });
    } else if (detail.$type === LocalizedMessage.$type) {
      Object.assign(said, { locale: detail.locale, hint: detail.message });
    } else if (detail.$type === Any.$type) { // of a type that it does not know
      said.details.push(packed(detail.typeUrl, detail.value));
    } else { // BadRequest.$type has the violations
      said.details.push(packed(detail.$type, TYPES.get(detail.$type).encode(detail).finish()));
    }
  }
  return said;
}

/** What a server author writes. */
function failure(wanted) {
  const extra = [];
  if (wanted.reason !== null) {
    const { reason, domain, metadata } = wanted;
    extra.push(ErrorInfo.fromPartial({ reason, domain, metadata }));
  }
  if (wanted.hint !== null) extra.push(LocalizedMessage.fromPartial({ locale: wanted.locale, message: wanted.hint }));
  for (const { type, base64 } of wanted.details) {
    const value = Buffer.from(base64, "base64");
    extra.push(TYPES.get(type)?.decode(value) ?? Any.fromPartial({ typeUrl: `type.googleapis.com/${type}`, value }));
  }
  return new RichServerError(wanted.status, wanted.message, extra);
}

async function client(target) {
  const channel = createChannel(target);
  const factory = createClientFactory().use(errorDetailsClientMiddleware).use(deadlineMiddleware);
  const stub = factory.create(definition, channel);
  let crash; // details that do not parse raise where nothing can catch it
  process.on("uncaughtException", (error) => crash(error));
  await calls(async (call) => {
    let messages = 0;
    let trailer = [];
    const options = { deadline: new Date(Date.now() + DEADLINE), metadata: Metadata(call.metadata), onTrailer: (metadata) => (trailer = metadata) };
    const request = create(AnswerRequestSchema, { vector: call.vector, messages: call.messages });
    const { requestStream, responseStream } = definition[named(call)];
    async function* requests() {
      yield request;
    }
    const crashed = new Promise((_, reject) => (crash = reject));
    try {
      const started = stub[named(call)](requestStream ? requests() : request, options);
      const ended = async () => {
        if (responseStream) for await (const _ of started) messages++;
        else await started;
      };
      await Promise.race([ended(), crashed]);
    } catch (error) {
      if (error.code === undefined) throw error;
      return { messages, trailing: trailing([...trailer].map(([key, [value]]) => [key, value])), ...read(error) };
    }
    return { failed: "the call ended without an error" };
  });
  channel.close();
}

async function server(path) {
  const answers = vectors(path);
  const fail = (vector, context) => {
    const wanted = answers.get(vector);
    if (!wanted) throw new ServerError(Status.UNIMPLEMENTED, "no such vector");
    for (const [key, value] of Object.entries(wanted.trailing)) context.trailer.set(key, value);
    throw failure(wanted);
  };
  async function* send({ messages }) {
    for (let index = 1; index <= messages; index++) yield create(AnswerResponseSchema, { index });
  }
  const running = createServer().use(errorDetailsServerMiddleware);
  running.add(definition, {
    unary: async ({ vector }, context) => fail(vector, context),
    async *serverStream(request, context) {
      yield* send(request);
      fail(request.vector, context);
    },
    clientStream: async (requests, context) => {
      const all = [];
      for await (const request of requests) all.push(request);
      fail(all[0].vector, context);
    },
    async *bidiStream(requests, context) {
      let first;
      for await (const request of requests) {
        if (first === undefined) yield* send((first = request));
      }
      fail(first.vector, context);
    },
  });
  await untilEndOfInput(await running.listen("127.0.0.1:0"));
  running.forceShutdown();
}

const [, , what, argument] = process.argv;
await { client, server }[what](argument);
