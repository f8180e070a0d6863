/** What a failed call says, read with the standard messages of google.rpc alone. */

import { type Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, LocalizedMessageSchema, RequestInfoSchema } from "./gen/google/rpc/error_details_pb";

export interface Failure {
  status: Code;
  /** Domain and reason are the identity of the server's code. Without them the failure came from elsewhere: the network, a proxy. */
  domain?: string;
  reason?: string;
  number?: string;
  /** For the user, in their language. */
  hint?: string;
  locale?: string;
  /** The server's log has the rest under this id. */
  requestId?: string;
  /** Which fields of the request are wrong. */
  fields: string[];
}

export function read(error: unknown): Failure {
  const failed = ConnectError.from(error);
  const [info] = failed.findDetails(ErrorInfoSchema);
  const [hint] = failed.findDetails(LocalizedMessageSchema);
  const [request] = failed.findDetails(RequestInfoSchema);
  const [bad] = failed.findDetails(BadRequestSchema);
  return {
    status: failed.code,
    domain: info?.domain,
    reason: info?.reason,
    number: info?.metadata.code,
    hint: hint?.message,
    locale: hint?.locale,
    requestId: request?.requestId,
    fields: bad?.fieldViolations.map((violation) => violation.field) ?? [],
  };
}

/** Whether it is this code of the classroom's; another team may have one of the same name. */
export function is(failure: Failure, reason: string): boolean {
  return failure.domain === "errgrpc.v1.ResCode" && failure.reason === reason;
}
