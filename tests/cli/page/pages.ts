import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** The address of a page that `cli.page_tables` wrote; the browser opens it from disk. */
export function address(name: string, rest = ""): string {
  return pathToFileURL(resolve(import.meta.dirname, "../../../build/page", `${name}.html`)).href + rest;
}
