/** For a path that stands for itself where a sibling with a parameter would take it otherwise: `DELETE /things/search` is no thing's. */
import { Failure } from "./failures.ts";

/** The handler of such a path; it is told with 405 and what the path does take, and counts for nothing else. */
export function wrongMethod(): never {
  throw new Failure("methodNotAllowed", "Method Not Allowed");
}
