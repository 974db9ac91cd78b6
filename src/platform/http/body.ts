/** Reading bodies within a limit. What is wrong with one is told only after the caller has been authenticated. */
import { type Failure, type Problem, tooLarge, unprocessable } from "./failures.ts";
import { jsonProblem } from "./validation.ts";

/** Stands for a body that could not be read; every schema refuses it, and the failure is told then. */
export abstract class UnreadableBody {
  abstract readonly reason: "not json" | "too large" | "wrong type";
  /** What JSON.parse said, for `not json`. */
  abstract readonly cause: unknown;
}

/** It is a function, because an object would pass for one whose fields are all left out. */
function unreadableBody(reason: UnreadableBody["reason"], cause?: unknown): UnreadableBody {
  const body = Object.setPrototypeOf(() => {}, UnreadableBody.prototype) as UnreadableBody;
  return Object.assign(body, { reason, cause });
}

const bodyProblem = (problem: Problem) => unprocessable("Validation error", { problems: [problem] });

/** Why a body could not be read, as the failure that its sender is told. */
export function unreadable(body: UnreadableBody): Failure {
  if (body.reason === "too large") return tooLarge("Request body too large");
  return body.reason === "wrong type"
    ? bodyProblem({ path: ["body"], message: "value is not a valid dict", type: "type_error.dict" })
    : bodyProblem(jsonProblem(body.cause));
}

/** The body's text, or null as soon as it turns out to be longer than `limit` bytes. */
async function readText(request: Request, limit: number): Promise<string | null> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > limit) return null;
  if (!Number.isNaN(declared) || request.body === null) return await request.text();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The media type of a request's body, without parameters. */
const mediaType = (request: Request): string | undefined =>
  request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();

/** A form's fields by name; of a name that occurs twice the last one counts. */
const fieldsOf = (text: string): Record<string, string> => Object.fromEntries(new URLSearchParams(text));

/**
 * The JSON value of a request's body, or undefined when it has none. Only `application/json` is read, and a form where the path takes one: a
 * browser may not send JSON across origins without asking, so no web page can slip a request in.
 */
export async function readBody(request: Request, limit: number, takesForm: boolean): Promise<unknown> {
  const text = await readText(request, limit);
  if (text === null) return unreadableBody("too large");
  if (text === "") return undefined;
  const type = mediaType(request);
  if (takesForm && type === "application/x-www-form-urlencoded") return fieldsOf(text);
  if (type !== "application/json") return unreadableBody("wrong type");
  try {
    return JSON.parse(text);
  } catch (error) {
    return unreadableBody("not json", error);
  }
}
