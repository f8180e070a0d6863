/** The classroom behind the gateway, over gRPC-Web. */

import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ClassroomService } from "./gen/v1/classroom_pb";

export interface Caller {
  user: string;
  /** The server answers errors with the hint in this language. */
  language: string;
}

export function connect(caller: Caller) {
  const introduce: Interceptor = (next) => (request) => {
    request.header.set("accept-language", caller.language);
    if (caller.user) request.header.set("authorization", `Bearer ${caller.user}`);
    return next(request);
  };
  const baseUrl = import.meta.env.VITE_GATEWAY;
  return createClient(ClassroomService, createGrpcWebTransport({ baseUrl, interceptors: [introduce], defaultTimeoutMs: 10_000 }));
}
